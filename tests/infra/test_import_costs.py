"""What no module waits for when it is imported, each in a process of its own."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["chalicelib.contracts.outbound.published", "chalicelib.api.documents"])
def test_neither_publishers_nor_documents_wait_for_pydantic(module: str) -> None:
    code = f"import {module}, sys; print([name for name in ('pydantic', 'openapi_pydantic') if name in sys.modules])"

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)

    assert ran.stdout.strip() == "[]"


def test_credits_balance_imports_no_library_for_signatures_or_yaml() -> None:
    code = (
        "from infra.commands.cli import command_line; command_line('balance'); "
        "import sys; print([name for name in ('jwt', 'cryptography', 'yaml') if name in sys.modules])"
    )

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)

    assert ran.stdout.strip() == "[]"
