"""The restore of infra/recovery/README.md, typed to its end as it is written there, on a stage in the emulator."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from infra.conformance.walk import EMULATED
from infra.deploying.aws import deploy_stage
from infra.deploying.emulator import ROOT
from infra.local.tokens import new_signer
from infra.packaging.region import REGION
from tests.support.engines import FAKE_AWS_ENVIRONMENT, PROGRAMS, ministack
from tests.support.marketplace import happened
from tests.support.running_stack import until
from tests.support.service import Service

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("upgrade")]

# The emulator makes an imported table anew when a property of it changes, which AWS does not: so here none changes.
AS_IMPORTED = "DeletionProtection=true"
SHOP = "0b3c8e1a-5f1d-4a7e-9d53-1d2f5a6b7c8d"


def test_the_guide_of_a_restore_can_be_typed_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "infra/recovery/README.md").read_text()
    (commands,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    assert commands.startswith("STAGE=prod\n")
    with ministack(tmp_path) as endpoint:
        here = {**FAKE_AWS_ENVIRONMENT, "AWS_REGION": REGION, "AWS_ENDPOINT_URL": endpoint}
        for name, value in here.items():
            monkeypatch.setenv(name, value)
        with (tmp_path / "deployed").open("w") as screen:
            outputs = deploy_stage("dev", {"YES": "1", "PARAMETERS": EMULATED}, Console(file=screen))
        old = Service(endpoint=endpoint, signer=new_signer(tmp_path), name="credits-dev", outputs=outputs)
        old.send([happened("evt.account.created", SHOP, trial_id="t", credits_to_use=77)])
        until("the account", lambda: "77" in said("balance", SHOP, "--stage", "dev"), 120)

        typed = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-s"],  # noqa: S607 - the reader's shell
            input=commands.replace("STAGE=prod", "STAGE=dev", 1),
            cwd=ROOT,
            env={**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}", "PARAMETERS": f"{EMULATED} {AS_IMPORTED}"},
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )

        assert typed.returncode == 0, typed.stdout[-3000:] + typed.stderr[-3000:]
        assert "Nothing is parked." in typed.stdout
        assert "77" in said("balance", SHOP, "--stage", "dev-2"), typed.stdout[-3000:]


def said(*arguments: str) -> str:
    command = [str(PROGRAMS / "python"), "-m", "infra.commands.cli", *arguments]
    answered = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return answered.stdout + answered.stderr
