"""What keeps a stack in order: names, tags, conditions, sizes, and the bus with its archive."""

import json
from typing import Any

import pytest

from infra.packaging.refusals.deliveries import DELIVERY, LOG_TYPES, SOURCE
from infra.packaging.refusals.resolved import resources as in_effect
from infra.packaging.schedules import call_by_scheduler

Resources = dict[str, dict[str, Any]]

TAGS = [{"Key": "service", "Value": {"Ref": "ServiceName"}}, {"Key": "stage", "Value": {"Ref": "Stage"}}]
TAGGED_BY_LIST = {
    "AWS::CloudFront::Distribution",
    "AWS::DynamoDB::Table",
    "AWS::Events::EventBus",
    "AWS::IAM::Role",
    "AWS::Logs::Delivery",
    "AWS::Logs::DeliveryDestination",
    "AWS::Logs::DeliverySource",
    "AWS::Logs::LogGroup",
    "AWS::Scheduler::ScheduleGroup",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
    "AWS::WAFv2::WebACL",
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


def schedules(resources: Resources, function: str) -> dict[str, dict[str, Any]]:
    """Return the schedules that call a function, by what comes after the stack's name in theirs."""
    events = properties(resources, function)["Events"].values()
    assert {one["Type"] for one in events} == {"ScheduleV2"}
    return {
        one["Properties"]["Name"]["Fn::Sub"].removeprefix("${AWS::StackName}-"): one["Properties"] for one in events
    }


def test_the_ledger_is_compared_daily_and_a_comparison_under_way_goes_on_hourly(resources: Resources) -> None:
    found = schedules(resources, "Reconcile")

    assert found["reconcile-daily"]["ScheduleExpression"] == "cron(17 3 * * ? *)"
    assert "Input" not in found["reconcile-daily"]
    assert found["reconcile-hourly"]["ScheduleExpression"] == "cron(47 * * * ? *)"
    assert found["reconcile-hourly"]["Input"] == '{"only": "unfinished"}'


def test_the_marks_of_others_are_reported_every_minute(resources: Resources) -> None:
    assert schedules(resources, "ReportMarks")["report_marks"]["ScheduleExpression"] == "rate(1 minute)"


def test_shops_lists_are_compared_where_there_is_a_bucket(resources: Resources) -> None:
    (schedule,) = schedules(resources, "MatchOrders").values()

    assert schedule["State"] == {"Fn::If": ["HasOrdersBucket", "ENABLED", "DISABLED"]}
    assert schedule["ScheduleExpression"] == "cron(0/15 2-5 * * ? *)"
    assert properties(resources, "MatchOrders")["Environment"]["Variables"] == {
        "ORDERS_BUCKET": {"Ref": "OrdersBucket"},
        "ORDERS_PREFIX": {"Ref": "OrdersPrefix"},
    }
    assert resources["OrdersDifferAlarm"]["Condition"] == "HasOrdersBucket"


SCHEDULED = {"MatchOrders": 3600, "PostDue": 60, "Reconcile": 3600, "ReportMarks": 60}
"""What runs by the clock, and for how many seconds Scheduler tries a call."""


@pytest.mark.parametrize("function", SCHEDULED)
def test_a_call_that_scheduler_cannot_make_is_tried_again_and_parked(resources: Resources, function: str) -> None:
    for schedule in schedules(resources, function).values():
        assert schedule["GroupName"] == {"Ref": "ScheduleGroup"}
        assert schedule["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["ScheduleDeadLetterQueue", "Arn"]}}
        assert schedule["RetryPolicy"]["MaximumEventAgeInSeconds"] == SCHEDULED[function]
        assert schedule["RoleArn"] == {"Fn::GetAtt": [f"{function}ScheduleRole", "Arn"]}


@pytest.mark.parametrize("function", SCHEDULED)
def test_scheduler_may_call_the_alias_of_that_function_park_what_failed_and_nothing_else(
    resources: Resources, function: str
) -> None:
    role = properties(resources, f"{function}ScheduleRole")
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    (policy,) = role["Policies"]
    group = "arn:${AWS::Partition}:scheduler:${AWS::Region}:${AWS::AccountId}:schedule-group/${AWS::StackName}"

    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
        "ArnEquals": {"aws:SourceArn": {"Fn::Sub": group}},
    }
    assert [(one["Effect"], one["Action"], one["Resource"]) for one in policy["PolicyDocument"]["Statement"]] == [
        ("Allow", "lambda:InvokeFunction", {"Ref": f"{function}.Alias"}),
        ("Allow", "sqs:SendMessage", {"Fn::GetAtt": ["ScheduleDeadLetterQueue", "Arn"]}),
    ]


def test_a_function_that_chalice_schedules_gets_all_of_this_by_itself() -> None:
    given = {"Schedule": "cron(0 4 * * ? *)", "Description": "x", "RetryPolicy": {"MaximumRetryAttempts": 0}}
    found: Resources = {
        "PostDue": {"Properties": {"Events": {"PostDueEvent": {"Type": "Schedule", "Properties": given}}}}
    }

    call_by_scheduler(found)

    (schedule,) = schedules(found, "PostDue").values()
    assert schedule["Name"] == {"Fn::Sub": "${AWS::StackName}-post_due"}
    assert (schedule["Description"], schedule["RetryPolicy"]) == ("x", {"MaximumRetryAttempts": 0})
    assert found["PostDueScheduleRole"]["Type"] == "AWS::IAM::Role"


def test_the_bus_writes_errors_without_the_content_of_events(resources: Resources, template: dict[str, Any]) -> None:
    assert properties(resources, "CreditsBus")["LogConfig"] == {
        "IncludeDetail": "NONE",
        "Level": {"Ref": "BusLogLevel"},
    }
    assert template["Parameters"]["BusLogLevel"]["Default"] == "ERROR"


@pytest.mark.parametrize(
    ("level", "kinds"), [("OFF", []), *((level, list(kinds)) for level, kinds in LOG_TYPES.items())]
)
def test_each_level_of_the_bus_delivers_its_kinds_of_lines_to_one_log_group(
    template: dict[str, Any], level: str, kinds: list[str]
) -> None:
    found = in_effect(template, {"BusLogLevel": level, "Stage": "dev"})
    sources = {name: one["Properties"]["LogType"] for name, one in found.items() if one["Type"] == SOURCE}
    deliveries = [one["Properties"] for one in found.values() if one["Type"] == DELIVERY]

    assert sorted(sources.values()) == kinds
    assert sorted(sources[one["DeliverySourceName"]["Ref"]] for one in deliveries) == kinds
    assert {one for one in ("BusLogGroup", "BusLogPolicy", "BusLogDestination") if one in found} == (
        set() if level == "OFF" else {"BusLogGroup", "BusLogPolicy", "BusLogDestination"}
    )


BUS_LOG = "${AWS::StackName}-bus-log"
SOURCES = {"BusErrors": "ERROR_LOGS", "BusEvents": "INFO_LOGS", "BusSteps": "TRACE_LOGS"}


@pytest.mark.parametrize("source", SOURCES)
def test_the_bus_is_the_source_of_its_log(resources: Resources, source: str) -> None:
    found = properties(resources, source)

    assert found["Name"] == {"Fn::Sub": f"${{AWS::StackName}}-{SOURCES[source]}"}
    assert found["ResourceArn"] == {"Fn::GetAtt": ["CreditsBus", "Arn"]}
    delivery = properties(resources, f"{source}Delivery")
    assert delivery["DeliverySourceName"] == {"Ref": source}
    assert delivery["DeliveryDestinationArn"] == {"Fn::GetAtt": ["BusLogDestination", "Arn"]}


def test_deliveries_of_one_destination_are_made_one_after_another(resources: Resources) -> None:
    assert resources["BusEventsDelivery"]["DependsOn"] == "BusErrorsDelivery"
    assert resources["BusStepsDelivery"]["DependsOn"] == "BusEventsDelivery"


def test_nobody_but_log_delivery_writes_the_log_of_the_bus(resources: Resources) -> None:
    destination, policy = resources["BusLogDestination"], properties(resources, "BusLogPolicy")
    (allowed,) = json.loads(policy["PolicyDocument"]["Fn::Sub"])["Statement"]

    group = resources["BusLogGroup"]
    assert group["Properties"]["LogGroupName"] == {"Fn::Sub": "/aws/vendedlogs/events/event-bus/${AWS::StackName}"}
    assert group["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    assert group["DeletionPolicy"] == group["UpdateReplacePolicy"] == "Delete"
    assert destination["DependsOn"] == "BusLogPolicy"
    assert destination["Properties"]["Name"] == policy["PolicyName"] == {"Fn::Sub": BUS_LOG}
    assert destination["Properties"]["DestinationResourceArn"] == {"Fn::GetAtt": ["BusLogGroup", "Arn"]}
    assert allowed["Principal"] == {"Service": "delivery.logs.amazonaws.com"}
    assert allowed["Resource"] == "${BusLogGroup.Arn}"
    assert allowed["Condition"]["StringEquals"] == {"aws:SourceAccount": "${AWS::AccountId}"}
    assert allowed["Condition"]["ArnLike"]["aws:SourceArn"].endswith(":delivery-source:${AWS::StackName}-*")


def test_the_group_of_the_schedules_is_named_after_the_stack(resources: Resources) -> None:
    assert properties(resources, "ScheduleGroup")["Name"] == {"Ref": "AWS::StackName"}
