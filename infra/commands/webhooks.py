"""`credits emit --webhook`: a webhook, signed and posted as Shopify or Stripe would, and what came of it."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from chalicelib.adapters.dynamodb.links import DynamoDBLinks
from chalicelib.contracts.inbound.events import Event, read_event
from chalicelib.contracts.inbound.payloads import Ignored
from chalicelib.contracts.sources.raw import RawWebhook, from_request
from chalicelib.contracts.sources.shopify import SHOP, TOPIC, TRIGGERED
from chalicelib.contracts.sources.webhooks import SourceTerms, Webhook
from chalicelib.domain.errors import Rejected
from chalicelib.domain.ids import MerchantId
from chalicelib.domain.links import LinkKind, merchant_of_name
from chalicelib.usecases.linking import Linking, WebhookNames
from infra.commands.api import Answer, ApiSilentError, ask
from infra.commands.effects import Result, as_json, await_effects, facts, say_effects, say_ignored, say_left_out
from infra.commands.events import TERMS, unread_fields
from infra.commands.ledger import TargetLedger
from infra.commands.letters import dead_letters
from infra.commands.output import FOUND, print_json, refused, say, unable, unread
from infra.commands.parked import ParkedEvents, Sent
from infra.commands.repeating import name_again, repeatable
from infra.commands.target import Target, settings_of
from infra.commands.times import now
from infra.interfaces.webhooks import signed

WebhookOf = Annotated[
    LinkKind | None, typer.Option("--webhook", help="Sign and post a FILE as this sender would, instead of an event.")
]
Topic = Annotated[str | None, typer.Option(help="The topic of Shopify's webhook, such as orders/paid.")]
ShopDomain = Annotated[str | None, typer.Option(help="The shop of Shopify's webhook: example.myshopify.com.")]
SecretFile = Annotated[
    Path | None, typer.Option(help="A file with the secret that signs it; the local stack needs none.")
]

_SCALAR = (str, int, Decimal)
_READ_LENIENTLY: Mapping[LinkKind, Mapping[str, tuple[type, ...]]] = {
    LinkKind.SHOPIFY: {"total_price": _SCALAR, "currency": _SCALAR, "updated_at": (str,), "processed_at": (str,)},
    LinkKind.STRIPE: {"created": (int,), "id": (str,)},
}
"""The fields of a body that stop nothing, whatever they hold, with the forms that are read."""

OK, UNAUTHORIZED, SERVER_ERROR = 200, 401, 500
_EXAMPLE = "credits emit --webhook shopify FILE --topic orders/paid --shop example.myshopify.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """A webhook's file, who sends and signs it, with which secret, and its headers other than the signature."""

    source: LinkKind
    file: Path
    secret_file: Path | None
    headers: Mapping[str, str]

    @classmethod
    def named(
        cls, source: LinkKind | None, file: str | None, topic: str | None, shop: str | None, secret_file: Path | None
    ) -> "Signing":
        """Return the webhook that the command line describes; ends the command if something is missing or too much."""
        if source is None:
            raise unable(f"--topic, --shop and --secret-file need --webhook, which names the sender: {_EXAMPLE}.")
        if file is None:
            raise unable(f"A webhook is one file, without other arguments: {_EXAMPLE}.")
        headers = {}
        if source is LinkKind.SHOPIFY:
            if topic is None or shop is None:
                raise unable(f"Shopify sends topic and shop as headers: give --topic and --shop, as in {_EXAMPLE}.")
            headers = {TOPIC: topic, SHOP: shop, TRIGGERED: now()}
        elif topic or shop:
            raise unable("--topic and --shop are Shopify's: an event of Stripe names its type and customer itself.")
        return cls(source=source, file=Path(file), secret_file=secret_file, headers=headers)

    def body(self) -> bytes:
        """Return the raw body; ends the command where the file cannot be read."""
        try:
            return self.file.read_bytes()
        except OSError as error:
            raise unread(self.file, error) from None

    def secret(self, target: Target) -> str:
        """Return the secret: the first word of its file, or that of the local stack."""
        if self.secret_file is not None:
            try:
                return (self.secret_file.read_text().split() or [""])[0]
            except (OSError, UnicodeDecodeError) as error:
                raise unread(self.secret_file, error) from None
        if target.local is None:
            raise unable(
                f"--secret-file is missing: a file with the secret with which {self.source.capitalize()} signs."
            )
        return target.local.webhook_secrets[self.source]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a webhook will do: no `webhook` if it is poison, no `events` if its merchant is not known.

    `left_out` says which of its fields cannot be read and move nothing; `message` is the body that the inbox gets.
    """

    message: str = ""
    webhook: Webhook | None = None
    events: tuple[Event, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def unlinked(self) -> bool:
        """Return whether it asks for something, but its merchant is not known."""
        return self.webhook is not None and bool(self.webhook.events) and not self.events

    def result(self) -> Result:
        """Return what it asks for and what of it is ignored, before it is sent."""
        topic, unused = (self.webhook.topic, self.webhook.unused) if self.webhook else ("", ())
        parts = [Ignored(reason=one.reason, merchant_id=None, reference_id=one.reference_id or topic) for one in unused]
        movements = [movement for event in self.events for movement in event.movements]
        return Result(
            noun="",
            events=[Sent(body=self.message, movements=tuple(movements), poison=self.webhook is None)],
            movements=movements,
            ignored=[*parts, *(one for event in self.events for one in event.ignored)],
            left_out=list(self.left_out),
        )


def emit_webhook(
    context: typer.Context,
    target: Target,
    signing: Signing,
    wait_seconds: float | None,
    *,
    checked: bool,
    as_json: bool,
) -> None:
    """Post a webhook and report the answer, and its effect where it is waited for.

    Ends the command with 1 where it was refused, conflicts, or is not recorded in time, or if it is `checked` and the
    service would park it; with 2 where nobody answers.
    """
    body, secret = signing.body(), signing.secret(target)
    found = _read(target, signing, body, checked=checked)
    reader = TargetLedger(target) if wait_seconds is not None else None
    parked = ParkedEvents(dead_letters(target))
    result = found.result()
    if reader is not None:
        result.before = facts(reader, result.movements)
    with repeatable(context):
        answer = _answer(target, signing, body, secret)
        if answer.status == OK:
            result.sent = 1
            if reader is not None and wait_seconds is not None:
                await_effects(reader, parked, result, Progress(disable=True), time.monotonic() + wait_seconds)
    if answer.status >= SERVER_ERROR:
        name_again(context)
    _report(found, answer, result, waited=reader is not None, json_wanted=as_json)


def _read(target: Target, signing: Signing, body: bytes, *, checked: bool) -> Found:
    """Return what the stage will read in the webhook."""
    configured = settings_of(target)
    terms = SourceTerms(credits_by_price=configured.credits_by_price, count_test_orders=configured.count_test_orders)
    message = ""
    try:
        raw = from_request(signing.source, body.decode(), signing.headers)
        message = raw.message()
        webhook = raw.read(terms)
        merchant = _merchant(target, webhook, opens=configured.unlinked_opens)
        texts = webhook.bodies(merchant or merchant_of_name(webhook.name or ""))
        bodies = zip(webhook.events, texts, strict=True)
        # Nobody waits for secondary events: they also come as webhooks of their own.
        read = [(one, read_event(one, TERMS, now=datetime.now(UTC))) for event, one in bodies if not event.secondary]
        if merchant is None and any(event.movements for _, event in read):
            read = []  # They wait for the link.
    except (Rejected, UnicodeDecodeError) as error:
        if checked:
            why = error.message if isinstance(error, Rejected) else "the file is not UTF-8"
            raise refused(f"Not sent, the service would park it: {why}. (--unchecked sends it all the same.)") from None
        return Found(message=message)
    left_out = [sentence for one, event in read for sentence in unread_fields(json.loads(one), event.dropped)]
    return Found(
        message=message,
        webhook=webhook,
        events=tuple(event for _, event in read),
        left_out=tuple(dict.fromkeys([*_of_no_form(raw), *left_out])),
    )


def _of_no_form(raw: RawWebhook) -> Iterator[str]:
    """Yield a sentence for each field that the service takes for absent, because it is of another form."""
    for name, form in _READ_LENIENTLY[raw.source].items():
        value = raw.body.get(name)
        if value is not None and not isinstance(value, form):
            yield f"{name} is of another form, cannot be read and is left out"


def _merchant(target: Target, webhook: Webhook, *, opens: bool) -> MerchantId | None:
    linking = Linking(DynamoDBLinks(target.client("dynamodb"), table=target.links_table))
    names = WebhookNames(merchant_id=webhook.merchant_id, name=webhook.name, payment_names=webhook.payment_names)
    (found,) = linking.merchants([names])
    if found is None and opens and webhook.name is not None:
        return merchant_of_name(webhook.name)
    return found


def _answer(target: Target, signing: Signing, body: bytes, secret: str) -> Answer:
    headers = {**signing.headers, **signed(signing.source, body, secret, datetime.now(UTC))}
    try:
        return ask(target, f"/api/v1/webhooks/{signing.source}", body, headers)
    except ApiSilentError as error:
        raise unable(f"{error} `credits doctor` looks for the cause.") from error


def _report(found: Found, answer: Answer, result: Result, *, waited: bool, json_wanted: bool) -> None:
    conflicts = result.conflicts()
    taken = answer.status == OK
    say_left_out(result)
    if json_wanted:
        print_json(
            {"status": answer.status, "answer": answer.body, **as_json(result, conflicts, one=True, waited=waited)}
        )
    elif not taken:
        _say_refused(answer)
    else:
        say(f"{answer.status}: taken into the inbox.")
        if found.unlinked:
            _say_unlinked(found.webhook)
        elif found.webhook is not None and found.webhook.closed:
            say("The shop's account closes: its plugin goes off, its balance stays.")
        elif found.webhook is not None and found.webhook.sale is not None:
            say("It counts once its checkout session is completed and paid: see `credits history`.")
        elif waited:
            say_effects(result, conflicts, one=True)
        else:
            say_ignored(result, one=True)
    if not taken or (waited and (found.unlinked or result.missing or conflicts or result.parked)):
        raise typer.Exit(FOUND)


def _say_refused(answer: Answer) -> None:
    body: Mapping[str, Any] = answer.body if isinstance(answer.body, dict) else {}
    say(f"{answer.status}: {body.get('detail') or 'no reason given'}", style="red")
    if answer.status == UNAUTHORIZED:
        say("The stage knows other secrets: --secret-file names the one that signs.")


def _say_unlinked(webhook: Webhook | None) -> None:
    names = (webhook.name, *webhook.payment_names) if webhook else ()
    name = next((one for one in names if one), "what it names")
    say(f"No merchant is linked to {name}: it waits for the link, then is parked.", style="yellow")
    say(f"Link it: credits link {name} MERCHANT")
