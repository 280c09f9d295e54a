"""Keeps the fleet's figures and the shared statuses up to date, from the credits table's stream (contract, section 7).

Every change of an account arrives at least once, in any order: only an account's newest image counts.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from chalice.app import Blueprint, DynamoDBEvent

from chalicelib.adapters.dynamodb.items import account_from
from chalicelib.adapters.dynamodb.recent_events import RecentEvent
from chalicelib.domain.errors import RetryLater
from chalicelib.domain.figures import Figures
from chalicelib.domain.ids import Instant, MerchantId, day_of
from chalicelib.domain.ledger import Account
from chalicelib.domain.statements import day_over
from chalicelib.handlers.stream_records import (
    Failures,
    batch_item_failures,
    crossing_events,
    dead_letter_queue_url,
    parked,
)
from chalicelib.ports import CallTime, FiguresStore
from chalicelib.telemetry import Sample, add_up, gauge, logger, over_labels, sample
from chalicelib.usecases.counting import ROUND_MARGIN_SECONDS, count
from chalicelib.wiring import for_api, for_desk, for_figures, for_posting

if TYPE_CHECKING:
    from chalicelib.adapters.dynamodb.month_ends import FleetDays

REPORT_SECONDS = 60.0
"""The shortest interval between two reports to CloudWatch."""

blueprint = Blueprint(__name__)


@blueprint.on_dynamodb_record(
    # The real stream and its options are merged in by infra/template.yaml.
    stream_arn="arn:aws:dynamodb:::set-by-infra-template",
    name="roll_up",
)
def roll_up(event: DynamoDBEvent) -> Failures:
    """Count the accounts in the records, and return the records to be retried."""
    records = event.to_dict()["Records"]
    call = for_posting.call_time(event.context)
    accounts, failed = _read(records, call)
    _share([account for _, account in accounts])
    figures = for_figures.figures()
    uncounted = _count([account for _, account in accounts], figures, call)
    failed += [number for number, account in accounts if account.merchant_id in uncounted]
    failed += _note_days_over(records, {number for number, _ in accounts} - set(failed), call)
    failed += _enlist(records, dict(accounts), set(failed), call)
    if call.remaining_seconds() >= ROUND_MARGIN_SECONDS:
        read = {number for number, _ in accounts}
        _note_crossings([record for record in records if record["dynamodb"]["SequenceNumber"] in read])
        _FleetReport.send(figures)
    logger.info("rolled up", records=len(records), uncounted=len(uncounted), coming_back=len(failed))
    for_figures.counter_writer().write()
    return batch_item_failures(failed)


def _read(records: Sequence[Mapping[str, Any]], time: CallTime) -> tuple[list[tuple[str, Account]], list[str]]:
    """Return the account of each record under its sequence number, and the numbers of those neither read nor parked."""
    queue_url = dead_letter_queue_url()
    accounts: list[tuple[str, Account]] = []
    failed: list[str] = []
    for record in records:
        # An account is never deleted. If a person does so, `credits recount` shows it.
        if "NewImage" not in record["dynamodb"]:
            continue
        number = record["dynamodb"]["SequenceNumber"]
        try:
            accounts.append((number, account_from(record["dynamodb"]["NewImage"])))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, it must not block those behind it
            if not parked(record, error, queue_url, function="roll_up", time=time):
                failed.append(number)
    return accounts, failed


def _count(accounts: Sequence[Account], figures: FiguresStore, call: CallTime) -> set[MerchantId]:
    """Count the accounts, day by day, so that each day ends before the next begins; return those not counted."""
    by_day: dict[str, list[Account]] = {}
    for account in accounts:
        by_day.setdefault(day_of(account.updated_at), []).append(account)
    uncounted: set[MerchantId] = set()
    for day in sorted(by_day):
        _FleetDay.begin(day)
        uncounted |= count(figures, by_day[day], time=call, report=_report)
    return uncounted


def _report(counted: Figures) -> None:
    """Count for CloudWatch what the figures gained, so that it shows the same transactions as /metrics.

    These include what no message asked for: lapsed credits and repaid debt.
    """
    for kind, of_kind in counted.totals.items():
        labels = {"type": kind.direction.value, "reference_type": kind.transaction_type}
        _gained(sample("credits_transactions_total", labels), of_kind.count)
    _gained(sample("credits_balance_updated_total"), counted.transactions)
    _gained(sample("credits_shortfall_total"), counted.shortfall)


def _gained(key: Sample, value: int) -> None:
    # A rebuilt account may have less than before, but a counter only grows.
    add_up(key, max(0, value))


def _note_days_over(records: Sequence[Mapping[str, Any]], read: set[str], call: CallTime) -> list[str]:
    """Keep the ends of days and months that the records show, and return the numbers of those that failed.

    Only records in `read` are used. An account that was never counted gets its ends nevertheless.
    """
    ends = for_figures.month_ends()
    failed = []
    for record in records:
        number, images = record["dynamodb"]["SequenceNumber"], record["dynamodb"]
        if ends is None or number not in read or "OldImage" not in images:
            continue
        try:
            over = day_over(account_from(images["OldImage"]), account_from(images["NewImage"]))
            if over is None:
                continue
            if call.remaining_seconds() < ROUND_MARGIN_SECONDS:
                failed.append(number)
            else:
                ends.note(over)
        except RetryLater:
            failed.append(number)
        except Exception:  # noqa: BLE001 - only an old image can be at fault, and it must not block the figures
            logger.warning("the end of a day not kept", sequence_number=number, exc_info=True)
    return failed


def _enlist(
    records: Sequence[Mapping[str, Any]], accounts: Mapping[str, Account], failed: set[str], call: CallTime
) -> list[str]:
    """Put merchants into the desk's list, and return the numbers of the records for which that failed.

    At the opening of an account and at its first change of a day, so that accounts older than the list are added too.
    """
    desk = for_desk.desk()
    if desk is None:
        return []
    undone = []
    for number, old in ((each["dynamodb"]["SequenceNumber"], each["dynamodb"].get("OldImage")) for each in records):
        account = accounts.get(number)
        if account is None or number in failed or (old is not None and _same_day(old, account)):
            continue
        try:
            if call.remaining_seconds() < ROUND_MARGIN_SECONDS:
                undone.append(number)
            else:
                desk.enlist(account.merchant_id)
        except RetryLater:
            undone.append(number)
    return undone


def _same_day(old: Mapping[str, Any], account: Account) -> bool:
    return day_of(Instant(old.get("updated_at", {}).get("S", ""))) == day_of(account.updated_at)


class _FleetReport:
    """When this container last reported the fleet to CloudWatch, in seconds of the monotonic clock."""

    at = float("-inf")

    @classmethod
    def send(cls, figures: FiguresStore) -> None:
        """Report the fleet's figures to CloudWatch, once a minute while anything changes; a failure is retried then."""
        if time.monotonic() - cls.at < REPORT_SECONDS:
            return
        cls.at = time.monotonic()
        try:
            fleet = figures.fleet()
        except RetryLater as error:
            logger.warning("fleet figures not reported", reason=error.message)
            return
        gauge("credits_merchants_zero_balance", fleet.zero)
        gauge("credits_merchants_low_balance", fleet.low)
        gauge("credits_debt", fleet.debt)
        gauge("credits_plugin_status", fleet.enabled, {"status": "enabled"})
        gauge("credits_plugin_status", fleet.disabled, {"status": "disabled"})
        _FleetDay.keep()


class _FleetDay:
    """Keeps the ends of the fleet's days. They are only a view: a failure is logged, and no record is retried."""

    begun = ""
    """The newest day of which this container has seen a change."""

    @classmethod
    def begin(cls, day: str) -> None:
        """Close the last day before `day`, whichever container counted its changes. Call it before `day` is counted."""
        if day > cls.begun:
            _note_fleet_day(lambda days, parked, now: days.close_before(day, parked=parked, as_of=now))
            cls.begun = day

    @staticmethod
    def keep() -> None:
        """Keep the fleet's present figures as the end of their day; the next report overwrites them."""
        _note_fleet_day(lambda days, parked, now: days.keep(parked=parked, as_of=now))


def _note_fleet_day(note: Callable[["FleetDays", int, Instant], None]) -> None:
    days, counters = for_figures.fleet_days(), for_figures.container_counters()
    if days is None or counters is None:
        return
    try:
        note(days, over_labels(counters.sums(), "credits_messages_parked_total"), for_posting.now())
    except Exception:  # noqa: BLE001 - a view must not hold up the figures; it is reported
        logger.warning("the fleet's day not kept", exc_info=True)


def _note_crossings(records: Sequence[Mapping[str, Any]]) -> None:
    """Add crossings to the latest threshold events. They are only a view: no record is retried for them."""
    try:
        events = [RecentEvent.of(event) for record in records for event in crossing_events(record)]
        if events:
            for_figures.recent_events().note(events)
    except Exception:  # noqa: BLE001 - a view must not hold up the figures; it is reported
        logger.warning("latest threshold events not noted", exc_info=True)


def _share(accounts: Sequence[Account]) -> None:
    """Update the shared statuses. They fall back to the table: no record is retried for them."""
    try:
        shared = for_api.shared_statuses()
        if shared is not None:
            shared.learn(accounts)
    except Exception:  # noqa: BLE001 - a cache must not hold up the figures; it is reported
        logger.warning("shared statuses not updated", exc_info=True)
