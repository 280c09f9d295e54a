"""The committed documents: up to date, complete, and every example is what its schema says."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import TypeAdapter, ValidationError

from chalicelib.contracts import values
from chalicelib.contracts.api.plugin_status import merchants_asked
from chalicelib.contracts.api.problems import STATUS, Problem
from chalicelib.contracts.inbound.events import INBOUND, read_event
from chalicelib.contracts.outbound.published import PUBLISHED
from chalicelib.contracts.sources.raw import RAW_TYPES, from_message
from chalicelib.contracts.sources.webhooks import SourceTerms
from infra.bridge.subjects import INBOUND_TYPES, OUTBOUND_TYPES
from infra.bridge.subjects import RAW_TYPES as RAW
from infra.interfaces import asyncapi as events
from infra.interfaces import openapi as api
from infra.interfaces.__main__ import DOCUMENTS, outdated
from infra.interfaces.bodies import StatusBatchRequest
from infra.interfaces.explaining import explained
from infra.interfaces.routes import ROUTES
from infra.interfaces.story import MERCHANT, TERMS, story
from infra.interfaces.words import WORDS
from infra.interfaces.words_more import GLOSSARY
from tests.formats.test_source_raw import SHOPIFY_BUS, STRIPE_BUS, WAYS_OF_SHOPIFY, WAYS_OF_STRIPE
from tests.support.builders import READ_AT
from tests.support.webhooks import text

OPENAPI, ASYNCAPI = (json.loads(path.read_text()) for path in DOCUMENTS)
"""Published by a function that is not there yet."""


def validator(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    """Return a validator of `schema`, whose references lead into the document's components."""
    whole = {**schema, "components": document["components"]}
    return Draft202012Validator(whole, format_checker=FormatChecker())


def api_examples() -> Iterator[Any]:
    """Yield (where, schema, example) of every example in the API's document."""
    for path, item in OPENAPI["paths"].items():
        for method, operation in item.items():
            bodies = {"body": operation.get("requestBody", {}), **operation["responses"]}
            for name, body in bodies.items():
                for media in body.get("content", {}).values():
                    for example in media.get("examples", {}).values():
                        yield pytest.param(media["schema"], example["value"], id=f"{method} {path} {name}")
    for status, response in OPENAPI["components"]["responses"].items():
        for media in response["content"].values():
            for example in media["examples"].values():
                yield pytest.param(media["schema"], example["value"], id=f"problem {status}")


def test_the_committed_documents_are_what_the_models_say_now() -> None:
    assert outdated() == []


@pytest.mark.parametrize(("schema", "example"), list(api_examples()))
def test_every_example_of_the_api_is_what_its_schema_says(schema: dict[str, Any], example: Any) -> None:
    assert [error.message for error in validator(OPENAPI, schema).iter_errors(example)] == []


@pytest.mark.parametrize(
    ("name", "bent"),
    [
        ("AccountAnswer", {"data": {}, "meta": {}}),
        ("Problem", {"title": "Not Found"}),
        ("StatusBatchRequest", {"merchant_ids": []}),
        ("StatusBatchRequest", {"merchant_ids": [MERCHANT] * 101}),
        ("Adjustment", {"merchant_id": MERCHANT, "operation_type": "INCREASE", "credits": 0, "reason": "r"}),
        ("Adjustment", {"merchant_id": "shop", "operation_type": "INCREASE", "credits": 1, "reason": "r"}),
        ("Threshold", {}),
        ("Threshold", {"low_balance_threshold": -1}),
    ],
)
def test_a_schema_refuses_what_the_route_refuses(name: str, bent: dict[str, Any]) -> None:
    assert not validator(OPENAPI, {"$ref": f"#/components/schemas/{name}"}).is_valid(bent)


def test_every_refusal_that_the_ledger_knows_has_its_answer_in_the_document() -> None:
    assert {str(int(status)) for status in STATUS.values()} - {"405"} <= set(OPENAPI["components"]["responses"])


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for item in OPENAPI["paths"].values() for operation in item.values()]

    assert len(set(names)) == len(names) == sum(len(route.declared.paths) for route in ROUTES)


def test_the_glossary_has_no_word_that_no_schema_needs() -> None:
    used: set[str] = set()

    explained(api.schemas(), used)
    explained(events.schemas(), used)

    assert set(GLOSSARY) - used == set()


def test_no_word_of_one_part_of_the_glossary_replaces_one_of_the_other() -> None:
    assert [name for name, word in WORDS.items() if GLOSSARY[name] is not word] == []


def test_a_member_without_a_word_is_found() -> None:
    with pytest.raises(KeyError, match="Account\\.colour"):
        explained({"Account": {"properties": {"colour": {"type": "string"}}}})


@pytest.mark.parametrize(
    ("kind", "taken", "refused"),
    [
        (values.Id, ["a", "a b", "x" * 64, 5], ["", "x" * 65, "smörgås", "a\nb", 1.5, None, True]),
        (
            values.PaymentId,
            ["a", "x" * 64, 5, "cs_", "cs_" + "x" * 252],
            ["", "x" * 65, "cs_" + "x" * 253, "cs_\nx", "CS_" + "x" * 62, "cs_ü", 1.5, None, True],
        ),
        (
            values.PaymentAliases,
            [[], ["a", "cs_" + "x" * 252, 5, "cs_1"]],
            ["cs_1", ["x" * 65], ["cs_" + "x" * 253], ["1", "2", "3", "4", "5"]],
        ),
        (values.ShopId, ["a", "x" * 64, 5, "gid://shopify/Order/5"], ["", "a\nb", 1.5, None, True]),
        (
            values.Merchant,
            [MERCHANT, MERCHANT.upper(), MERCHANT.replace("-", "")],
            ["", "shop", MERCHANT[:-1], MERCHANT.replace("-", "", 1), f"{{{MERCHANT}}}", 5],
        ),
        (values.Credits, [1, 1_000_000_000], [0, -1, 1_000_000_001, "5", 0.5, True, None]),
        (values.Money, ["0", "12.50", 0, 7, Decimal("1.5")], ["-1", "1e5", "", "1,5", -1, True, 10**16, "1" * 17]),
        (values.Reason, ["r", "r" * 500], ["", "r" * 501, 5, None]),
    ],
)
def test_the_form_in_the_documents_is_what_the_validator_takes(kind: Any, taken: list[Any], refused: list[Any]) -> None:
    adapter = TypeAdapter(kind)
    form = Draft202012Validator(adapter.json_schema())

    assert [value for value in taken if not form.is_valid(value)] == []
    assert [value for value in refused if form.is_valid(value)] == []
    for value in taken:
        adapter.validate_python(value)
    for value in refused:
        with pytest.raises(ValidationError):
            adapter.validate_python(value)


@pytest.mark.parametrize(
    "fields",
    [
        {"merchant_ids": [MERCHANT]},
        {"merchant_ids": [MERCHANT] * 100},
        {"merchant_ids": [MERCHANT] * 101},
        {"merchant_ids": []},
        {"merchant_ids": ["shop"]},
        {"merchant_ids": [5]},
        {"merchant_ids": MERCHANT},
        {"merchant_ids": None},
        {},
    ],
)
def test_a_batch_s_model_takes_what_the_route_takes(fields: dict[str, Any]) -> None:
    try:
        taken = bool(merchants_asked(fields))
    except Problem:
        taken = False

    try:
        StatusBatchRequest.model_validate(fields)
    except ValidationError:
        assert not taken
    else:
        assert taken


def test_the_events_of_the_document_are_those_of_the_bridge() -> None:
    received, sent = (
        {operation["channel"]["$ref"].removeprefix("#/channels/") for operation in ASYNCAPI["operations"].values()
         if operation["action"] == action}
        for action in ("receive", "send")
    )  # fmt: skip

    assert received == {*INBOUND, *RAW_TYPES} == set(INBOUND_TYPES)
    assert sent == set(PUBLISHED) == set(OUTBOUND_TYPES)
    assert received.isdisjoint(sent)


@pytest.mark.parametrize("event_type", [*INBOUND, *PUBLISHED])
def test_every_example_of_an_event_is_what_its_schema_says(event_type: str) -> None:
    message = ASYNCAPI["components"]["messages"][event_type]

    for example in message["examples"]:
        assert [
            error.message for error in validator(ASYNCAPI, message["payload"]).iter_errors(example["payload"])
        ] == []
        assert example["payload"]["event_type"] == event_type


@pytest.mark.parametrize("event_type", INBOUND)
def test_every_example_of_an_event_in_is_one_that_moves_credits(event_type: str) -> None:
    [example] = ASYNCAPI["components"]["messages"][event_type]["examples"]

    event = read_event(json.dumps(example["payload"]), TERMS, now=READ_AT)

    assert event.event_type == event_type
    assert event.movements


@pytest.mark.parametrize(("event_type", "topic"), [(RAW[0], "orders/paid"), (RAW[1], "invoice.paid")])
def test_the_examples_of_a_webhook_are_what_its_schema_says_and_come_to_an_event(event_type: str, topic: str) -> None:
    message = ASYNCAPI["components"]["messages"][event_type]
    form = validator(ASYNCAPI, message["payload"])

    for example in message["examples"]:
        assert [error.message for error in form.iter_errors(example["payload"])] == []
        assert not form.is_valid({**example["payload"], "event_type": "evt.another"})
        webhook = from_message(example["payload"], subject=event_type)
        assert webhook is not None
        found = webhook.read(SourceTerms())
        assert (found.topic, len(found.events)) == (topic, 1)
        assert found.name is not None


OF_NATS = [
    *((RAW[0], fields) for fields, _ in WAYS_OF_SHOPIFY if fields is not SHOPIFY_BUS),
    *((RAW[1], fields) for fields, _ in WAYS_OF_STRIPE if fields is not STRIPE_BUS),
]


@pytest.mark.parametrize(("event_type", "fields"), OF_NATS)
def test_every_form_of_a_webhook_that_is_taken_is_described(event_type: str, fields: dict[str, Any]) -> None:
    form = validator(ASYNCAPI, ASYNCAPI["components"]["messages"][event_type]["payload"])

    assert [error.message for error in form.iter_errors(json.loads(text(fields)))] == []


@pytest.mark.parametrize(
    ("event_type", "fields"),
    [
        (RAW[0], {"payload": {}}),
        (RAW[0], {"headers": {"X-Shopify-Topic": ["orders/paid", "orders/paid"]}, "payload": {}}),
        (RAW[0], {"headers": {}, "body": {}}),
        (RAW[0], {"headers": 5, "payload": {}}),
        (RAW[0], {"specversion": "1.0", "type": RAW[1], "data": {"headers": {}, "payload": {}}}),
        (RAW[1], {"event_type": RAW[1]}),
        (RAW[1], {"payload": 5}),
        (RAW[1], {"specversion": "1.0", "type": "invoice.paid", "data": {}}),
        (RAW[1], {"event_type": RAW[0], "type": "invoice.paid", "data": {}}),
    ],
)
def test_no_other_form_of_a_webhook_is_described(event_type: str, fields: dict[str, Any]) -> None:
    assert not validator(ASYNCAPI, ASYNCAPI["components"]["messages"][event_type]["payload"]).is_valid(fields)


@pytest.mark.parametrize("event_type", [*INBOUND, *PUBLISHED])
def test_an_event_without_its_merchant_or_of_another_type_is_none(event_type: str) -> None:
    message = ASYNCAPI["components"]["messages"][event_type]
    [example] = message["examples"]
    form = validator(ASYNCAPI, message["payload"])
    payload = {name: value for name, value in example["payload"]["payload"].items() if name != "merchant_id"}

    assert not form.is_valid({**example["payload"], "payload": payload})
    assert not form.is_valid({**example["payload"], "event_type": "evt.another"})


@pytest.mark.parametrize("document", [OPENAPI, ASYNCAPI], ids=["openapi", "asyncapi"])
def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            node = list(node.values())
        if isinstance(node, list):
            for each in node:
                yield from references(each)

    for reference in references(document):
        at = document
        for name in reference.removeprefix("#/").split("/"):
            at = at[name]


def test_the_story_ends_where_a_shop_s_plugin_goes_off() -> None:
    assert [event.event_type.removeprefix("evt.credits.") for event in story()[-1].published] == [
        "adjusted",
        "low_balance_reached",
        "balance_exhausted",
        "plugin_status_changed",
    ]
