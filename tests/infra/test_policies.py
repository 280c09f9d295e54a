"""The rights of each function: what its code calls, on what it calls, and nothing else."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

Resources = dict[str, dict[str, Any]]
Grants = dict[str, set[str]]

LOG = {"logs:CreateLogStream", "logs:PutLogEvents"}
LEDGER_WRITE = {"dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"}
LEDGER_READ = {"dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"}
LAY_COUNTERS_DOWN = {"dynamodb:BatchGetItem", "dynamodb:PutItem"}
PARKED = {"sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}
STREAM_READ = {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"}

GRANTED: dict[str, Grants] = {
    "IngestEventsRole": {
        "CreditsTable.Arn": LEDGER_WRITE,
        "TransactionsTable.Arn": LEDGER_WRITE,
        "InboxQueue.Arn": {
            "sqs:ChangeMessageVisibility",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:ReceiveMessage",
        },
        "DeadLetterQueue.Arn": {"sqs:SendMessage"},
        "FiguresTable.Arn": LAY_COUNTERS_DOWN,
        "IngestEventsLogGroup.Arn": LOG,
    },
    "AdjustCreditsRole": {
        "CreditsTable.Arn": LEDGER_WRITE,
        "TransactionsTable.Arn": LEDGER_WRITE,
        "FiguresTable.Arn": LAY_COUNTERS_DOWN,
        "AdjustCreditsLogGroup.Arn": LOG,
    },
    "PublishThresholdEventsRole": {
        "CreditsTable.StreamArn": STREAM_READ,
        "${CreditsTable.Arn}/stream/*": {"dynamodb:ListStreams"},
        "CreditsBus.Arn": {"events:PutEvents"},
        "StreamDeadLetterQueue.Arn": {"sqs:SendMessage"},
        "FiguresTable.Arn": LAY_COUNTERS_DOWN,
        "PublishThresholdEventsLogGroup.Arn": LOG,
    },
    "RollUpRole": {
        "CreditsTable.StreamArn": STREAM_READ,
        "${CreditsTable.Arn}/stream/*": {"dynamodb:ListStreams"},
        "FiguresTable.Arn": {"dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"},
        "StreamDeadLetterQueue.Arn": {"sqs:SendMessage"},
        "RollUpLogGroup.Arn": LOG,
    },
    "PublishTransactionEventsRole": {
        "TransactionsTable.StreamArn": STREAM_READ,
        "${TransactionsTable.Arn}/stream/*": {"dynamodb:ListStreams"},
        "CreditsBus.Arn": {"events:PutEvents"},
        "StreamDeadLetterQueue.Arn": {"sqs:SendMessage"},
        "FiguresTable.Arn": LAY_COUNTERS_DOWN,
        "PublishTransactionEventsLogGroup.Arn": LOG,
    },
    "ReconcileRole": {
        "CreditsTable.Arn": {"dynamodb:GetItem", "dynamodb:Scan"},
        "${TransactionsTable.Arn}/index/by_merchant": {"dynamodb:Query"},
        "FiguresTable.Arn": {"dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem"},
        "CreditsBus.Arn": {"events:PutEvents"},
        "ReconcileLogGroup.Arn": LOG,
    },
    "ApiHandlerRole": {
        "CreditsTable.Arn": LEDGER_READ,
        "${CreditsTable.Arn}/index/by_level": LEDGER_READ,
        "TransactionsTable.Arn": LEDGER_READ,
        "${TransactionsTable.Arn}/index/by_merchant": LEDGER_READ,
        "FiguresTable.Arn": LEDGER_READ | {"dynamodb:PutItem"},
        "${AdjustCredits.Arn}:live": {"lambda:InvokeFunction"},
        "${SetThreshold.Arn}:live": {"lambda:InvokeFunction"},
        "DeadLetterQueue.Arn": PARKED,
        "OutboxDeadLetterQueue.Arn": PARKED,
        "StreamDeadLetterQueue.Arn": PARKED,
        "InboxQueue.Arn": {"sqs:GetQueueAttributes", "sqs:SendMessage"},
        "OutboxQueue.Arn": {"sqs:SendMessage"},
        "${PublishThresholdEvents.Arn}:live": {"lambda:InvokeFunction"},
        "${PublishTransactionEvents.Arn}:live": {"lambda:InvokeFunction"},
        "${RollUp.Arn}:live": {"lambda:InvokeFunction"},
        "APIHandlerLogGroup.Arn": LOG,
    },
    "SetThresholdRole": {
        "CreditsTable.Arn": {"dynamodb:BatchGetItem", "dynamodb:UpdateItem"},
        "SetThresholdLogGroup.Arn": LOG,
    },
    "ReportMarksRole": {"FiguresTable.Arn": {"dynamodb:BatchGetItem"}, "ReportMarksLogGroup.Arn": LOG},
    "AuthorizeRole": {"AuthorizeLogGroup.Arn": LOG},
}
"""Role to resource to actions, where no key parameter is set."""

KEY_READERS = {"ApiHandlerRole": "CursorKeyParameter", "AuthorizeRole": "JwtKeyParameter"}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(resources: Resources, role: str, *, keys_are_set: bool) -> Iterator[dict[str, Any]]:
    (policy,) = resources[role]["Properties"]["Policies"]
    for statement in policy["PolicyDocument"]["Statement"]:
        if "Fn::If" not in statement:
            yield statement
        elif keys_are_set:
            yield statement["Fn::If"][1]


def name(resource: dict[str, Any]) -> str:
    if "Fn::GetAtt" in resource:
        return ".".join(resource["Fn::GetAtt"])
    text: str = resource["Fn::Sub"]
    return text


def grants(resources: Resources, role: str, *, keys_are_set: bool = False) -> Grants:
    found: Grants = {}
    for statement in statements(resources, role, keys_are_set=keys_are_set):
        assert statement["Effect"] == "Allow"
        for resource in listed(statement["Resource"]):
            found.setdefault(name(resource), set()).update(listed(statement["Action"]))
    return found


def test_every_role_is_one_of_those_listed_here(resources: Resources) -> None:
    roles = {logical_id for logical_id, one in resources.items() if one["Type"] == "AWS::IAM::Role"}

    assert roles - {"GatewayAccountRole"} == set(GRANTED)


@pytest.mark.parametrize("role", GRANTED)
def test_a_role_has_exactly_the_rights_its_function_uses(resources: Resources, role: str) -> None:
    assert grants(resources, role) == GRANTED[role]


@pytest.mark.parametrize(("role", "parameter"), KEY_READERS.items())
def test_a_function_may_read_the_one_key_that_its_setting_names(
    resources: Resources, role: str, parameter: str
) -> None:
    prefix = "arn:${AWS::Partition}"
    place = "${AWS::Region}:${AWS::AccountId}"
    with_keys = grants(resources, role, keys_are_set=True)

    assert {one: actions for one, actions in with_keys.items() if one not in GRANTED[role]} == {
        f"{prefix}:ssm:{place}:parameter${{{parameter}}}": {"ssm:GetParameter"},
        f"{prefix}:secretsmanager:{place}:secret:${{{parameter}}}-??????": {"secretsmanager:GetSecretValue"},
    }


@pytest.mark.parametrize("role", GRANTED)
def test_no_role_has_a_wildcard_for_an_action_or_for_all_resources(resources: Resources, role: str) -> None:
    for statement in statements(resources, role, keys_are_set=True):
        assert "*" not in json.dumps(statement["Action"])
        assert "*" not in listed(statement["Resource"])


@pytest.mark.parametrize("role", GRANTED)
def test_nobody_may_delete_from_the_ledger(resources: Resources, role: str) -> None:
    granted = set().union(*grants(resources, role, keys_are_set=True).values())

    assert not {action for action in granted if action.startswith("dynamodb:") and "Delete" in action}


@pytest.mark.parametrize("role", [role for role in GRANTED if role != "RollUpRole"])
def test_only_the_items_of_containers_may_be_written_beside_the_one_who_counts(resources: Resources, role: str) -> None:
    for statement in statements(resources, role, keys_are_set=True):
        if "dynamodb:PutItem" in listed(statement["Action"]) and statement["Resource"] == {
            "Fn::GetAtt": ["FiguresTable", "Arn"]
        }:
            own = ["container#*", "reconcile"] if role == "ReconcileRole" else ["container#*"]
            assert statement["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": own}}


def test_the_api_can_only_read_the_ledger(resources: Resources) -> None:
    everywhere = grants(resources, "ApiHandlerRole", keys_are_set=True)
    granted = set().union(*(actions for one, actions in everywhere.items() if one != "FiguresTable.Arn"))

    # The scan is there only where METRICS_PER_MERCHANT is on.
    assert {action for action in granted if action.startswith("dynamodb:")} == LEDGER_READ | {"dynamodb:Scan"}
