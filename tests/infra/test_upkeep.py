"""What keeps a stack in order: names, tags, conditions, sizes, and the bus with its archive."""

from typing import Any

import pytest

Resources = dict[str, dict[str, Any]]

TAGS = [{"Key": "service", "Value": {"Ref": "ServiceName"}}, {"Key": "stage", "Value": {"Ref": "Stage"}}]
TAGGED_BY_LIST = {
    "AWS::DynamoDB::Table",
    "AWS::Events::EventBus",
    "AWS::IAM::Role",
    "AWS::Logs::LogGroup",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
}
ROLES = {"CodeDeployRole", "GatewayAccountRole"}
TAGGED_BY_NAME = {"service": {"Ref": "ServiceName"}, "stage": {"Ref": "Stage"}}
SET = {
    "HasAlarmEmail": "AlarmEmail",
    "HasCursorKeyParameter": "CursorKeyParameter",
    "HasJwtKeyParameter": "JwtKeyParameter",
    "HasRedisUrlParameter": "RedisUrlParameter",
    "HasShopifySecretParameter": "ShopifySecretParameter",
    "HasStripeSecretParameter": "StripeSecretParameter",
}
POLICIES = {"AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::IAM::ManagedPolicy"}
SIX_SENDS_SECONDS = 60


def properties(resources: Resources, name: str) -> dict[str, Any]:
    found: dict[str, Any] = resources[name]["Properties"]
    return found


def test_everything_that_costs_says_whose_it_is(template: dict[str, Any], resources: Resources) -> None:
    for name, one in resources.items():
        # Chalice generates the functions' roles; `make deploy` tags the stack, and so all of it.
        if one["Type"] in TAGGED_BY_LIST and not (one["Type"] == "AWS::IAM::Role" and name not in ROLES):
            assert one["Properties"]["Tags"] == TAGS
    assert template["Globals"]["Function"]["Tags"] == TAGGED_BY_NAME
    assert TAGGED_BY_NAME.items() <= properties(resources, "RestAPI")["Tags"].items()


@pytest.mark.parametrize(("condition", "parameter"), SET.items())
def test_an_empty_parameter_counts_as_not_set(template: dict[str, Any], condition: str, parameter: str) -> None:
    assert template["Conditions"][condition] == {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]}
    assert template["Parameters"][parameter]["Default"] == ""


@pytest.mark.parametrize(
    ("condition", "parameter"), [("HasApiConcurrency", "ApiConcurrency"), ("KeepsArchive", "ArchiveDays")]
)
def test_zero_counts_as_none(template: dict[str, Any], condition: str, parameter: str) -> None:
    assert template["Conditions"][condition] == {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, 0]}]}


@pytest.mark.parametrize(
    ("condition", "parameter", "value"),
    [("HasMetricsPerMerchant", "MetricsPerMerchant", "on"), ("ManagesGatewayAccount", "ManageGatewayAccount", "true")],
)
def test_a_switch_is_on_when_it_says_so(template: dict[str, Any], condition: str, parameter: str, value: str) -> None:
    assert template["Conditions"][condition] == {"Fn::Equals": [{"Ref": parameter}, value]}


def test_the_bus_has_the_stacks_name_and_keeps_what_asks_for_a_movement_and_nothing_else(resources: Resources) -> None:
    archive = resources["CreditsArchive"]
    inbound = properties(resources, "InboundRule")["EventPattern"]

    assert properties(resources, "CreditsBus")["Name"] == {"Fn::Sub": "${AWS::StackName}"}
    assert archive["Condition"] == "KeepsArchive"
    assert archive["Properties"] == {
        "SourceArn": {"Fn::GetAtt": ["CreditsBus", "Arn"]},
        "EventPattern": {name: inbound[name] for name in ("source", "detail-type")},
        "RetentionDays": {"Ref": "ArchiveDays"},
    }


RULES = {
    "InboundRule": "inbound",
    "BareInboundRule": "inbound-bare",
    "OutboundRule": "outbound",
    "ShopifyRule": "shopify",
    "StripeRule": "stripe",
}


def test_a_rule_has_the_name_that_its_metrics_carry(resources: Resources) -> None:
    for rule, direction in RULES.items():
        assert properties(resources, rule)["Name"] == {"Fn::Sub": f"${{AWS::StackName}}-{direction}"}


def test_every_policy_speaks_the_language_of_2012(resources: Resources) -> None:
    """In the older one, which is the default, variables of a policy are plain text."""
    documents = [one["Properties"]["PolicyDocument"] for one in resources.values() if one["Type"] in POLICIES]
    documents += [one["Properties"]["AssumeRolePolicyDocument"] for one in resources.values() if _is_role(one)]
    documents += [policy["PolicyDocument"] for one in resources.values() if _is_role(one) for policy in _inline(one)]

    assert {one["Version"] for one in documents} == {"2012-10-17"}


def _is_role(resource: dict[str, Any]) -> bool:
    return bool(resource["Type"] == "AWS::IAM::Role")


def _inline(role: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = role["Properties"].get("Policies", [])
    return found


def test_a_message_of_the_inbox_fits_into_the_dead_letter_queue_beside_its_reason(resources: Resources) -> None:
    largest, beside = 1_048_576, 4_096

    assert properties(resources, "InboxQueue")["MaximumMessageSize"] == largest - beside
    assert "MaximumMessageSize" not in properties(resources, "DeadLetterQueue")


def test_an_event_out_stays_hidden_while_the_bridge_publishes_it(resources: Resources) -> None:
    assert properties(resources, "OutboxQueue")["VisibilityTimeout"] >= SIX_SENDS_SECONDS


@pytest.mark.parametrize("table", ["CreditsTable", "TransactionsTable", "FiguresTable", "LinksTable", "DeskTable"])
def test_a_table_defines_the_attributes_of_its_keys_and_no_other(resources: Resources, table: str) -> None:
    found = properties(resources, table)
    schemas = [found["KeySchema"], *(index["KeySchema"] for index in found.get("GlobalSecondaryIndexes", []))]

    assert {one["AttributeName"] for one in found["AttributeDefinitions"]} == {
        one["AttributeName"] for schema in schemas for one in schema
    }


def test_the_api_knows_where_dead_letters_go_back_to(resources: Resources) -> None:
    variables = properties(resources, "APIHandler")["Environment"]["Variables"]

    assert variables["OUTBOX_DEAD_LETTER_QUEUE_URL"] == {"Ref": "OutboxDeadLetterQueue"}
    assert variables["OUTBOX_QUEUE_URL"] == {"Ref": "OutboxQueue"}
    for setting, function in (
        ("THRESHOLD_EVENTS_FUNCTION", "PublishThresholdEvents"),
        ("TRANSACTION_EVENTS_FUNCTION", "PublishTransactionEvents"),
        ("ROLL_UP_FUNCTION", "RollUp"),
    ):
        assert variables[setting] == {"Fn::Sub": f"${{{function}.Arn}}:live"}


def test_the_ledger_is_compared_daily_and_a_comparison_under_way_goes_on_hourly(resources: Resources) -> None:
    events = {name: one["Properties"] for name, one in properties(resources, "Reconcile")["Events"].items()}

    assert events["Daily"]["Schedule"] == "cron(17 3 * * ? *)"
    assert "Input" not in events["Daily"]
    assert events["Hourly"]["Schedule"] == "cron(47 * * * ? *)"
    assert events["Hourly"]["Input"] == '{"only": "unfinished"}'


def test_the_marks_of_others_are_reported_every_minute(resources: Resources) -> None:
    (event,) = properties(resources, "ReportMarks")["Events"].values()

    assert event == {"Type": "Schedule", "Properties": {"Schedule": "rate(1 minute)"}}
