"""What AWS is told to set up: every override on Chalice's output, and every table, queue and rule."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.sources import shopify, stripe
from chalicelib.contracts.sources.raw import BUSES as BUSES_OF_SOURCES
from chalicelib.domain.links import LinkKind
from infra.packaging.build import TemplateRefusedError, _refuse_findings, package
from infra.packaging.refusals.resolved import listed
from infra.packaging.refusals.resolved import resources as in_effect

Resources = dict[str, dict[str, Any]]

FOURTEEN_DAYS = 1209600
QUEUES = (
    "InboxQueue",
    "WaitingQueue",
    "DeadLetterQueue",
    "OutboxQueue",
    "OutboxDeadLetterQueue",
    "ScheduleDeadLetterQueue",
    "StreamDeadLetterQueue",
)
TABLES = ("CreditsTable", "TransactionsTable", "FiguresTable", "DeskTable")
FUNCTIONS = {
    "APIHandler": "chalicelib.api.door.serve",
    "AdjustCredits": "chalicelib.handlers.adjust_credits.adjust_credits",
    "Authorize": "chalicelib.handlers.authorize.authorize",
    "MatchOrders": "chalicelib.handlers.match_orders.match_orders",
    "IngestEvents": "chalicelib.handlers.ingest_events.ingest_events",
    "PublishThresholdEvents": "chalicelib.handlers.stream_records.publish_threshold_events",
    "PublishTransactionEvents": "chalicelib.handlers.stream_records.publish_transaction_events",
    "Reconcile": "chalicelib.handlers.reconcile.reconcile",
    "PostDue": "chalicelib.handlers.post_due.post_due",
    "ReportMarks": "chalicelib.handlers.report_marks.report_marks",
    "RollUp": "chalicelib.handlers.roll_up.roll_up",
    "SetThreshold": "chalicelib.handlers.set_threshold.set_threshold",
    "SmokeTest": "chalicelib.handlers.smoke_test.smoke_test",
}
INBOUND_TYPES = {
    "evt.merchant.created",
    "evt.account.created",
    "evt.shopify.webhook.order_paid",
    "evt.order.updated",
    "evt.shopify.webhook.order_refunded",
    "evt.billing.payment_succeeded",
    "evt.billing.payment_refunded",
    "evt.billing.payment_disputed",
    "evt.billing.payment_dispute_won",
    "evt.subscription.renewed",
    "evt.credits.manual_adjustment",
}
DEFAULT_SETTINGS = {
    "TRIAL_CREDITS": 100,
    "TRIAL_EXPIRES_DAYS": 0,
    "SUBSCRIPTION_EXPIRES": "never",
    "REFUND_GRACE_DAYS": 7,
    "EXPIRY_NOTICE_DAYS": "7,1",
    "ALERT_LEVELS": "none",
    "GRACE_HOURS": 0,
    "GRACE_CREDITS": 0,
    "LOW_BALANCE_THRESHOLD_PERCENT": 20,
    "ORDER_CREDIT_DIRECTION": "DECREASE",
    "ORDER_CREDIT_BASIS": "order",
    "ORDER_CREDIT_FIXED_AMOUNT": 1,
    "ORDER_CREDIT_PERCENTAGE": 0,
    "ORDER_CREDIT_MINIMUM": 0,
    "TEST_ORDERS": "ignore",
    "RENEWAL_WITHOUT_PERIOD": "park",
    "RENEWAL_REPEAT_DAYS": 20,
    "DISCARDED_DAYS": 400,
    "REVERSAL_DEBT": "owed",
    "ADJUSTMENT_CONFIRM_ABOVE": "",
    "UNLINKED": "wait",
    "CREDITS_BY_PRICE": "",
    "SHOPIFY_SECRET_PARAMETER": "",
    "STRIPE_SECRET_PARAMETER": "",
    "PLUGIN_STATUS_CACHE_TTL": 15,
    "PLUGIN_STATUS_STALE_SECONDS": 300,
    "GROUND_RETRY_SECONDS_MIN": 1,
    "GROUND_RETRY_SECONDS_MAX": 900,
    "GROUND_RETRY_SECONDS_TOTAL": 3600,
    "REDIS_URL": "",
    "REDIS_URL_PARAMETER": "",
    "JWT_ALGORITHM": "",
    "JWT_ISSUER": "",
    "JWT_AUDIENCE": "",
    "JWT_SCOPE_CLAIM": "scope",
    "JWT_MERCHANT_CLAIM": "merchant_id",
    "JWT_AUDIENCE_CLAIM": "aud",
    "JWT_JWKS_URL": "",
    "JWT_KEY_PARAMETER": "",
    "CURSOR_KEY_PARAMETER": "",
    "CORS_ORIGINS": "",
    "WIDGET_DAYS_LEFT": "off",
    "LOG_LEVEL": "INFO",
    "SERVICE_NAME": "credit-service",
    "METRICS_PER_MERCHANT": "off",
}
NAMES_OF_RESOURCES = {
    "CREDITS_TABLE": "CreditsTable",
    "TRANSACTIONS_TABLE": "TransactionsTable",
    "FIGURES_TABLE": "FiguresTable",
    "LINKS_TABLE": "LinksTable",
    "DESK_TABLE": "DeskTable",
    "EVENT_BUS": "CreditsBus",
    "INBOX_QUEUE_URL": "InboxQueue",
    "WAITING_QUEUE_URL": "WaitingQueue",
    "DEAD_LETTER_QUEUE_URL": "DeadLetterQueue",
    "STREAM_DEAD_LETTER_QUEUE_URL": "StreamDeadLetterQueue",
}
ORDERS_THAT_EARN = {"transaction_type": {"S": ["ORDER_PAID", "ORDER_EDITED"]}, "operation_type": {"S": ["INCREASE"]}}
BUSES = {"ShopifyRule": "ShopifyEventBus", "StripeRule": "StripeEventBus"}
"""The rules on partner event buses, and the parameter that names the bus."""
PARTNERS = ("Shopify", "Stripe")
ALL_BUT_ORDERS = {"transaction_type": {"S": [{"anything-but": ["ORDER_PAID", "ORDER_EDITED"]}]}}


def arn(resource: str) -> dict[str, list[str]]:
    return {"Fn::GetAtt": [resource, "Arn"]}


def properties(resources: Resources, name: str) -> dict[str, Any]:
    found: dict[str, Any] = resources[name]["Properties"]
    return found


def source(resources: Resources, function: str) -> dict[str, Any]:
    # The first is what the decorator names.
    event = next(iter(properties(resources, function)["Events"].values()))
    found: dict[str, Any] = event["Properties"]
    return found


def patterns(event_source: dict[str, Any]) -> list[dict[str, Any]]:
    return [json.loads(one["Pattern"]) for one in event_source["FilterCriteria"]["Filters"]]


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_the_template_has_no_finding_as_sam_nor_as_cloudformation(stage: str) -> None:
    # A package with a finding is refused, so there would be none; each stage is linted with its own values.
    assert (package(stage) / "sam.yaml").is_file()


def test_a_package_with_a_finding_is_refused(packaged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.packaging.lint.findings", lambda sam, values: iter([f"{sam.name}: {values['Stage']}"]))
    monkeypatch.setattr("infra.packaging.stages.values", lambda stage: {"Stage": stage})

    with pytest.raises(TemplateRefusedError, match=r"sam.yaml: prod"):
        _refuse_findings(packaged / "sam.yaml", "prod")


@pytest.mark.slow
@pytest.mark.xdist_group("linter")
def test_the_linter_would_see_a_property_that_does_not_exist(found_in_broken: list[str]) -> None:
    assert any("DeletionProtectionEnbled" in one for one in found_in_broken)


def test_the_template_has_no_yaml_alias_which_cloudformation_refuses(packaged: Path) -> None:
    lines = (packaged / "sam.yaml").read_text().splitlines()

    assert [line for line in lines if line.split(": ")[-1].startswith(("&", "*"))] == []


def test_every_function_runs_the_zip_beside_the_template(resources: Resources) -> None:
    functions = {name: one for name, one in resources.items() if one["Type"] == "AWS::Serverless::Function"}

    assert {name: one["Properties"]["Handler"] for name, one in functions.items()} == FUNCTIONS
    assert {one["Properties"]["CodeUri"] for one in functions.values()} == {"./deployment.zip"}
    assert {one["Properties"]["Runtime"] for one in functions.values()} == {"python3.11"}


def test_ingest_events_reads_the_inbox_in_batches_and_answers_for_each_message(resources: Resources) -> None:
    assert source(resources, "IngestEvents") == {
        "Queue": arn("InboxQueue"),
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 1,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": 5},
    }


def test_ingest_events_alone_may_be_called_by_what_it_sent_as_often_as_that_waits(resources: Resources) -> None:
    assert [name for name in resources if properties(resources, name).get("RecursiveLoop") == "Allow"] == [
        "IngestEvents"
    ]


def test_ingest_events_reads_what_waits_for_its_ground_with_the_fewest_calls_at_once(resources: Resources) -> None:
    _, waiting = properties(resources, "IngestEvents")["Events"].values()

    assert waiting["Properties"] == {
        "Queue": arn("WaitingQueue"),
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 5,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": 2},
    }


@pytest.mark.parametrize(
    ("function", "table"),
    [
        ("RollUp", "CreditsTable"),
        ("PublishThresholdEvents", "CreditsTable"),
        ("PublishTransactionEvents", "TransactionsTable"),
    ],
)
def test_a_function_reads_its_stream_from_the_start_with_bounded_retries(
    resources: Resources, function: str, table: str
) -> None:
    event_source = dict(source(resources, function))
    event_source.pop("FilterCriteria", None)

    assert event_source == {
        "Stream": {"Fn::GetAtt": [table, "StreamArn"]},
        "StartingPosition": "TRIM_HORIZON",
        "BatchSize": 1000 if function == "RollUp" else 100,
        "MaximumBatchingWindowInSeconds": {"Fn::If": ["SharesStatuses", 0, 60]} if function == "RollUp" else 0,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "BisectBatchOnFunctionError": True,
        "MaximumRetryAttempts": 1000,
        "MaximumRecordAgeInSeconds": 43200,
        "DestinationConfig": {"OnFailure": {"Type": "SQS", "Destination": arn("StreamDeadLetterQueue")}},
    }


def test_every_write_to_an_account_wakes_the_one_who_counts(resources: Resources) -> None:
    assert "FilterCriteria" not in source(resources, "RollUp")


def test_only_a_write_that_crossed_a_threshold_wakes_the_threshold_publisher(resources: Resources) -> None:
    assert patterns(source(resources, "PublishThresholdEvents")) == [
        {"dynamodb": {"NewImage": {"crossings": {"S": [{"exists": True}]}}}}
    ]


def test_only_a_new_transaction_that_publishes_wakes_the_transaction_publisher(resources: Resources) -> None:
    assert patterns(source(resources, "PublishTransactionEvents")) == [
        {"eventName": ["INSERT"], "dynamodb": {"NewImage": ALL_BUT_ORDERS}},
        {"eventName": ["INSERT"], "dynamodb": {"NewImage": ORDERS_THAT_EARN}},
    ]


def test_the_inbound_rule_admits_the_inbound_types_from_anybody_but_ourselves(resources: Resources) -> None:
    for rule, enveloped in (("InboundRule", True), ("BareInboundRule", False)):
        pattern = properties(resources, rule)["EventPattern"]

        assert set(pattern["detail-type"]) == INBOUND_TYPES
        assert pattern["source"] == [{"anything-but": ["credits"]}]
        # Each event meets one of the two.
        assert pattern["detail"] == {"payload": {"merchant_id": [{"exists": enveloped}]}}


def test_a_merchants_events_in_an_envelope_are_one_group_of_the_inbox(resources: Resources) -> None:
    (grouped,) = properties(resources, "InboundRule")["Targets"]

    assert grouped["SqsParameters"] == {"MessageGroupId": "$.detail.payload.merchant_id"}
    for rule in ("BareInboundRule", "OutboundRule", "ShopifyRule", "StripeRule"):
        assert "SqsParameters" not in properties(resources, rule)["Targets"][0]


def test_the_outbound_rule_admits_what_we_publish(resources: Resources) -> None:
    assert properties(resources, "OutboundRule")["EventPattern"] == {"source": ["credits"]}


@pytest.mark.parametrize(
    ("rule", "queue", "dead_letters"),
    [
        ("InboundRule", "InboxQueue", "DeadLetterQueue"),
        ("BareInboundRule", "InboxQueue", "DeadLetterQueue"),
        ("OutboundRule", "OutboxQueue", "OutboxDeadLetterQueue"),
        ("ShopifyRule", "InboxQueue", "DeadLetterQueue"),
        ("StripeRule", "InboxQueue", "DeadLetterQueue"),
    ],
)
def test_a_rule_delivers_to_its_queue_and_loses_nothing(
    resources: Resources, rule: str, queue: str, dead_letters: str
) -> None:
    (target,) = properties(resources, rule)["Targets"]

    assert properties(resources, rule)["EventBusName"] == {"Ref": BUSES.get(rule, "CreditsBus")}
    assert target["Arn"] == arn(queue)
    assert target["DeadLetterConfig"] == {"Arn": arn(dead_letters)}
    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400}


@pytest.mark.parametrize("queue", QUEUES)
def test_a_queue_is_encrypted_and_keeps_messages_for_fourteen_days(resources: Resources, queue: str) -> None:
    assert properties(resources, queue)["SqsManagedSseEnabled"] is True
    assert properties(resources, queue)["MessageRetentionPeriod"] == FOURTEEN_DAYS


@pytest.mark.parametrize(
    ("queue", "dead_letters"),
    [
        ("InboxQueue", "DeadLetterQueue"),
        ("WaitingQueue", "DeadLetterQueue"),
        ("OutboxQueue", "OutboxDeadLetterQueue"),
    ],
)
def test_a_queue_gives_up_on_a_message_only_after_a_thousand_receives(
    resources: Resources, queue: str, dead_letters: str
) -> None:
    assert properties(resources, queue)["RedrivePolicy"] == {
        "deadLetterTargetArn": arn(dead_letters),
        "maxReceiveCount": 1000,
    }


def test_a_message_stays_hidden_for_six_timeouts_of_its_function_and_the_batching_window(
    resources: Resources,
) -> None:
    timeout = properties(resources, "IngestEvents")["Timeout"]
    for event in properties(resources, "IngestEvents")["Events"].values():
        queue, _ = event["Properties"]["Queue"]["Fn::GetAtt"]
        window = event["Properties"]["MaximumBatchingWindowInSeconds"]

        assert properties(resources, queue)["VisibilityTimeout"] >= 6 * timeout + window


def test_every_queue_has_a_policy_of_its_own_open_over_tls_only_and_to_its_own_rule_only(resources: Resources) -> None:
    senders: dict[str, list[str]] = {}
    guarded: list[str] = []
    for policy in (one["Properties"] for one in resources.values() if one["Type"] == "AWS::SQS::QueuePolicy"):
        (queue,) = (one["Ref"] for one in policy["Queues"])
        *allowed, denied = policy["PolicyDocument"]["Statement"]
        assert (denied["Effect"], denied["Principal"], denied["Action"]) == ("Deny", "*", "sqs:*")
        assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        guarded.append(queue)
        for statement in allowed:
            assert statement["Effect"] == "Allow"
            assert statement["Principal"] == {"Service": "events.amazonaws.com"}
            assert statement["Action"] == "sqs:SendMessage"
            senders[queue] = [sending(one) for one in listed(statement["Condition"]["ArnEquals"]["aws:SourceArn"])]
        assert all(one["Resource"] == arn(queue) for one in (*allowed, denied))

    assert sorted(guarded) == sorted(QUEUES)
    assert senders == {
        "InboxQueue": ["InboundRule", "BareInboundRule", "ShopifyRule", "StripeRule"],
        "DeadLetterQueue": ["InboundRule", "BareInboundRule", "ShopifyRule", "StripeRule"],
        "OutboxQueue": ["OutboundRule"],
        "OutboxDeadLetterQueue": ["OutboundRule"],
    }


def sending(rule: dict[str, Any]) -> str:
    """Return the rule that a policy names; one on a partner's bus only where there is such a bus."""
    if "Fn::If" not in rule:
        return str(rule["Fn::GetAtt"][0])
    condition, found, otherwise = rule["Fn::If"]
    assert otherwise == {"Ref": "AWS::NoValue"}
    assert condition == f"Has{BUSES[found['Fn::GetAtt'][0]]}"
    return str(found["Fn::GetAtt"][0])


@pytest.mark.parametrize("partner", PARTNERS)
def test_without_a_partners_bus_there_is_neither_rule_nor_archive(template: dict[str, Any], partner: str) -> None:
    bus = template["Parameters"][f"{partner}EventBus"]
    made = {"Stage": "dev", f"{partner}EventBus": f"aws.partner/{partner.lower()}.com/1/credits"}

    assert bus["Default"] == ""
    assert template["Resources"][f"{partner}Rule"]["Condition"] == f"Has{partner}EventBus"
    assert not {f"{partner}Rule", f"{partner}Archive"} & in_effect(template, {"Stage": "dev"}).keys()
    assert {f"{partner}Rule", f"{partner}Archive"} <= in_effect(template, made).keys()
    assert f"{partner}Archive" not in in_effect(template, {**made, "ArchiveDays": "0"})


@pytest.mark.parametrize("partner", PARTNERS)
@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("", True),
        ("aws.partner/{}.com/12345/credits", True),
        ("arn:aws:events:eu-central-1:123456789012:event-bus/aws.partner/{}.com/1/x", False),
        ("default", False),
        ("aws.partner/example.com/1/x", False),
    ],
)
def test_the_name_of_a_partners_bus_is_no_other_bus_and_no_arn(
    template: dict[str, Any], partner: str, name: str, taken: bool
) -> None:
    pattern = template["Parameters"][f"{partner}EventBus"]["AllowedPattern"]

    assert bool(re.fullmatch(pattern, name.format(partner.lower()))) is taken


def test_shopifys_rule_admits_the_topics_of_the_contract_from_shopify_alone(resources: Resources) -> None:
    pattern = properties(resources, "ShopifyRule")["EventPattern"]

    assert pattern["source"] == [{"prefix": prefix(LinkKind.SHOPIFY)}]
    assert pattern["detail-type"] == ["shopifyWebhook"]
    topics = pattern["detail"]["metadata"]["X-Shopify-Topic"]
    assert {topic.replace("/", "_") for topic in topics} == shopify.TOPICS


def test_stripes_rule_admits_the_types_of_the_contract_from_stripe_alone(resources: Resources) -> None:
    pattern = properties(resources, "StripeRule")["EventPattern"]
    refunds = {one for one in stripe.TYPES if one.startswith("refund.")}

    assert pattern["source"] == [{"prefix": prefix(LinkKind.STRIPE)}]
    naming = {"charge.succeeded", "charge.captured", "payment_intent.succeeded", "invoice_payment.paid"}
    assert [one for one in pattern["detail-type"] if not isinstance(one, str)] == [
        {"prefix": "refund."},
        {"prefix": "v1.refund."},
    ]
    assert {one for one in pattern["detail-type"] if isinstance(one, str)} == {
        *(stripe.TYPES - refunds),
        *(f"v1.{one}" for one in stripe.TYPES - refunds - naming),
    }


@pytest.mark.parametrize("partner", PARTNERS)
def test_a_partners_archive_keeps_what_its_rule_admits(resources: Resources, partner: str) -> None:
    archive = properties(resources, f"{partner}Archive")

    assert archive["EventPattern"] == properties(resources, f"{partner}Rule")["EventPattern"]
    assert archive["SourceArn"]["Fn::Sub"].endswith(f":event-bus/${{{partner}EventBus}}")
    assert archive["RetentionDays"] == {"Ref": "ArchiveDays"}


def prefix(source: LinkKind) -> str:
    """Return how the sources of a partner's bus begin, as the inbox recognises them."""
    (found,) = (start for start, named in BUSES_OF_SOURCES.items() if named is source)
    return found


@pytest.mark.parametrize(("setting", "default"), DEFAULT_SETTINGS.items())
def test_a_setting_is_a_parameter_with_its_default(template: dict[str, Any], setting: str, default: object) -> None:
    parameter = "".join(word.capitalize() for word in setting.split("_"))

    assert template["Globals"]["Function"]["Environment"]["Variables"][setting] == {"Ref": parameter}
    assert template["Parameters"][parameter]["Default"] == default


@pytest.mark.parametrize(("variable", "resource"), NAMES_OF_RESOURCES.items())
def test_the_functions_learn_the_names_of_their_resources(
    template: dict[str, Any], variable: str, resource: str
) -> None:
    assert template["Globals"]["Function"]["Environment"]["Variables"][variable] == {"Ref": resource}


def test_the_api_alone_knows_the_functions_that_write_for_it(resources: Resources, template: dict[str, Any]) -> None:
    named = {
        "ADJUST_FUNCTION": {"Fn::Sub": "${AdjustCredits.Arn}:live"},
        "THRESHOLD_FUNCTION": {"Fn::Sub": "${SetThreshold.Arn}:live"},
    }

    assert named.items() <= properties(resources, "APIHandler")["Environment"]["Variables"].items()
    assert not named.keys() & template["Globals"]["Function"]["Environment"]["Variables"].keys()


def test_every_function_knows_its_stage_and_the_namespace_of_its_metrics(template: dict[str, Any]) -> None:
    variables = template["Globals"]["Function"]["Environment"]["Variables"]

    assert variables["STAGE"] == {"Ref": "Stage"}
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == {"Ref": "AWS::StackName"}
    assert variables["POWERTOOLS_SERVICE_NAME"] == variables["SERVICE_NAME"]
    assert variables["POWERTOOLS_LOG_LEVEL"] == variables["LOG_LEVEL"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_functions_log_is_kept_as_long_as_the_stage_says(resources: Resources, function: str) -> None:
    group = f"{function}LogGroup"

    assert properties(resources, function)["LoggingConfig"] == {"LogGroup": {"Ref": group}}
    assert properties(resources, group)["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    assert properties(resources, group)["LogGroupName"]["Fn::Sub"].startswith("/aws/lambda/${AWS::StackName}-")
    assert resources[group]["DeletionPolicy"] == resources[group]["UpdateReplacePolicy"] == "Delete"


def test_lambda_drops_no_line_of_ours_and_says_nothing_of_calls_that_went_well(template: dict[str, Any]) -> None:
    assert template["Globals"]["Function"]["LoggingConfig"] == {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "DEBUG",
        "SystemLogLevel": "WARN",
    }


def test_the_figures_wait_for_company_where_nobody_shares_statuses(template: dict[str, Any]) -> None:
    assert template["Conditions"]["SharesStatuses"] == {
        "Fn::Or": [{"Fn::Not": [{"Fn::Equals": [{"Ref": one}, ""]}]} for one in ("RedisUrl", "RedisUrlParameter")]
    }


def test_the_outputs_name_everything_an_operator_needs(template: dict[str, Any]) -> None:
    names = {f"{table}Name" for table in TABLES} | {f"{function}Name" for function in FUNCTIONS}
    addresses = {f"{queue}Url" for queue in QUEUES}

    assert names | addresses | {"ApiUrl", "RestAPIId", "EventBusName"} <= set(template["Outputs"])
