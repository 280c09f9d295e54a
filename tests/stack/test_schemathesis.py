"""The API's own document against the running stack: no 5xx, no answer that the document does not have.

schemathesis makes the requests from `/openapi.json`: examples, limits of every parameter, good and bad data,
and sequences of calls that build on each other.
"""

import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import jwt
import pytest

from infra.interfaces.story import MERCHANT, story
from infra.local.tokens import ADMIN_SCOPE, OPS_SCOPE
from tests.support.engines import PROGRAMS, clean_environment
from tests.support.running_stack import client
from tests.support.stack_process import READY_SECONDS, ROOT, Run, started, wait

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("schemathesis")]

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
SEED = "20261121"
ENDED_SECONDS = 1500


def token(stack: Run) -> str:
    """Return a token with every scope, so that no route is left out."""
    made = stack.description()["jwt"]
    now = int(time.time())
    claims = {"iss": made["issuer"], "aud": made["audience"], "sub": "schemathesis", "iat": now, "exp": now + 3600}
    key = Path(made["private_key_path"]).read_bytes()
    return jwt.encode(
        {**claims, "scope": f"{ADMIN_SCOPE} {OPS_SCOPE}"}, key, made["algorithm"], headers={"kid": made["key_id"]}
    )


def tell(stack: Run) -> None:
    """Let the story of the examples happen, so that the documented merchant and transactions exist."""
    description = stack.description()
    queue, tables = client(description, "sqs"), client(description, "dynamodb")
    for place, chapter in enumerate(story(), start=1):
        queue.send_message(QueueUrl=description["inbox_queue_url"], MessageBody=json.dumps(dict(chapter.body)))

        def told(sequence: int = place) -> bool:
            found = tables.get_item(TableName=description["credits_table"], Key={"merchant_id": {"S": MERCHANT}})
            return int(found.get("Item", {}).get("sequence", {"N": "0"})["N"]) >= sequence

        wait(told, READY_SECONDS)
        assert told(), chapter.event_type


def checked(stack: Run, folder: Path, options: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Return what schemathesis said of the running API."""
    api = stack.description()["api_url"]
    return subprocess.run(
        [
            str(PROGRAMS / "schemathesis"),
            "--config-file",
            str(CONFIGURATION),
            "run",
            f"{api}/openapi.json",
            "--url",
            api,
            "--header",
            f"Authorization: Bearer {token(stack)}",
            "--seed",
            SEED,
            # Threads that parse source spoil each other's depth in Python 3.11 (gh-106905): one is enough.
            "--workers",
            "1",
            "--continue-on-failure",
            "--request-timeout",
            "20",
            "--generation-database",
            "none",
            "--no-color",
            *options,
        ],
        cwd=folder,
        # What it computes once about Unicode is stored where the other tests store theirs.
        env=clean_environment({"HOME": str(folder), "HYPOTHESIS_STORAGE_DIRECTORY": str(ROOT / ".hypothesis")}),
        capture_output=True,
        check=False,
        text=True,
        timeout=ENDED_SECONDS,
    )


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with started(tmp_path_factory.mktemp("stack"), {}) as run:
        run.wait_for_line("READY ")
        tell(run)
        yield run


def test_every_answer_to_examples_and_limits_is_documented(stack: Run, tmp_path: Path) -> None:
    ran = checked(stack, tmp_path, ["--phases", "examples,coverage"])

    assert ran.returncode == 0, ran.stdout
    assert "No issues found" in ran.stdout or "passed" in ran.stdout, ran.stdout


def test_every_answer_to_made_up_data_and_sequences_of_calls_is_documented(stack: Run, tmp_path: Path) -> None:
    ran = checked(stack, tmp_path, ["--phases", "fuzzing,stateful", "--max-examples", "150"])

    assert ran.returncode == 0, ran.stdout
