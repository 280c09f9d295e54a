"""What a caller's settings become, and what a stack tells about itself."""

import json
import stat
from pathlib import Path

import jwt
import pytest

from infra.deploying.outputs import function_names
from infra.deploying.parameters import SETTINGS, choose_parameters, declared_parameters
from infra.local.description import Addresses, describe, local_directory, read, write
from infra.local.tokens import AUDIENCE, ISSUER, Signer, new_signer

ROOT = Path(__file__).resolve().parents[2]
ADDRESSES = Addresses(
    api_url="http://127.0.0.1:8015",
    aws_endpoint="http://127.0.0.1:4566",
    nats_url="nats://127.0.0.1:4222",
    bridge_health_url="http://127.0.0.1:8016/health",
)
OUTPUTS = {
    "ApiUrl": "https://api",
    "RestAPIId": "abc",
    "CreditsTableName": "credits",
    "TransactionsTableName": "transactions",
    "FiguresTableName": "figures",
    "LinksTableName": "links",
    "DeskTableName": "desk",
    "EventBusName": "bus",
    "InboxQueueUrl": "http://inbox",
    "WaitingQueueUrl": "http://waiting",
    "DeadLetterQueueUrl": "http://dead",
    "OutboxQueueUrl": "http://outbox",
    "OutboxDeadLetterQueueUrl": "http://outbox-dead",
    "StreamDeadLetterQueueUrl": "http://stream-dead",
    "IngestEventsName": "stack-IngestEvents-1",
    "APIHandlerName": "stack-APIHandler-1",
}


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return new_signer(tmp_path)


def test_a_setting_of_the_caller_becomes_the_parameter_of_that_name() -> None:
    choice = choose_parameters({"TrialCredits", "LogLevel"}, {"TRIAL_CREDITS": "7", "HOME": "/", "LOG_LEVEL": ""}, {})
    assert choice.parameters == {"TrialCredits": "7"}
    assert choice.unknown == ()


def test_the_stacks_own_parameters_win_over_the_callers() -> None:
    choice = choose_parameters({"CorsOrigins"}, {"CORS_ORIGINS": "theirs"}, {"CORS_ORIGINS": "ours"})
    assert choice.parameters == {"CorsOrigins": "ours"}


def test_a_setting_without_a_parameter_is_named() -> None:
    assert choose_parameters(set(), {"TRIAL_CREDITS": "7"}, {}).unknown == ("TRIAL_CREDITS",)


def test_the_template_has_a_parameter_for_every_setting_that_may_be_passed_on() -> None:
    declared = declared_parameters(ROOT / "infra/template.yaml")
    assert choose_parameters(declared, dict.fromkeys(SETTINGS, "1"), {}).unknown == ()


def test_functions_are_named_as_in_the_application_and_as_in_the_template() -> None:
    assert function_names(OUTPUTS) == {
        "ingest_events": "stack-IngestEvents-1",
        "IngestEvents": "stack-IngestEvents-1",
        "api_handler": "stack-APIHandler-1",
        "APIHandler": "stack-APIHandler-1",
    }


def test_what_is_written_is_read_again_and_private(tmp_path: Path, signer: Signer) -> None:
    description = describe(ADDRESSES, "dev", OUTPUTS, signer, {"shopify": "s"}, {"supervisor": 1})
    path = write(description, tmp_path)
    assert read(tmp_path) == description
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.glob("stack*")] == ["stack.json"]


def test_the_description_has_every_member_of_the_contract(tmp_path: Path, signer: Signer) -> None:
    content = json.loads(write(describe(ADDRESSES, "dev", OUTPUTS, signer, {}, {}), tmp_path).read_text())
    assert set(content) >= {
        *("api_url", "aws_endpoint", "nats_url", "credits_table", "transactions_table", "event_bus"),
        *("inbox_queue_url", "dead_letter_queue_url", "functions", "jwt", "admin_token", "ops_token", "pids"),
    }
    assert set(content["jwt"]) == {"algorithm", "private_key_path", "issuer", "audience", "key_id"}


def test_the_private_key_is_for_its_owner_only_and_new_at_each_start(tmp_path: Path) -> None:
    first = new_signer(tmp_path)
    content = first.private_key_path.read_bytes()
    second = new_signer(tmp_path)
    assert stat.S_IMODE(second.private_key_path.stat().st_mode) == 0o600
    assert second.private_key_path.read_bytes() != content
    assert second.key_id != first.key_id


def test_a_token_is_verified_by_the_published_key_and_says_who_may_do_what(signer: Signer) -> None:
    token = signer.token(subject="somebody", scope="credits:read", merchant_id="shop")
    key = jwt.PyJWKSet.from_dict(dict(signer.public_keys))[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["ES256"], audience=AUDIENCE, issuer=ISSUER)
    assert (claims["sub"], claims["scope"], claims["merchant_id"]) == ("somebody", "credits:read", "shop")


def test_the_published_key_has_no_private_part(signer: Signer) -> None:
    assert all("d" not in key for key in signer.public_keys["keys"])


def test_the_folder_is_the_callers_or_the_repositorys_own(tmp_path: Path) -> None:
    assert local_directory({"LOCAL_DIR": str(tmp_path)}) == tmp_path
    assert local_directory({}) == ROOT / ".local"
