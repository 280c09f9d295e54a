"""A replay takes the stack's own archives to its own rules, ends when all is delivered, and tells what goes wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.packaging.refusals.schedules import STACK_CHARACTERS
from infra.recovery import again
from infra.recovery.again import ReplayError, Span, replay, replay_name

STACK = "credits-prod"
SINCE = datetime.fromisoformat("2026-11-24T00:00:00+00:00")
SPAN = Span(since=SINCE, until=SINCE + timedelta(hours=1))
NOW = SPAN.until + timedelta(minutes=10)
SHOPIFY = "aws.partner/shopify.com/1/credits"
OWN = {
    "CreditsArchive": "credits-prod-CreditsArchive-1",
    "BareInboundRule": f"{STACK}|{STACK}-inbound-bare",
    "InboundRule": f"{STACK}|{STACK}-inbound",
    "OutboundRule": f"{STACK}|{STACK}-outbound",
}
OF_PARTNER = {"ShopifyArchive": "credits-prod-ShopifyArchive-2", "ShopifyRule": f"{SHOPIFY}|{STACK}-shopify"}
BUSES = {"credits-prod-CreditsArchive-1": STACK, "credits-prod-ShopifyArchive-2": SHOPIFY}
BUS_ARN = "arn:aws:events:eu-west-1:123456789012:event-bus/"
FIRST = "credits-prod-CreditsArchive-20261124T000000-20261124T010000"


class ThereError(ClientError):
    """A replay of that name exists."""

    def __init__(self) -> None:
        super().__init__({"Error": {"Code": "ResourceAlreadyExistsException", "Message": "taken"}}, "StartReplay")


@dataclass
class Events:
    """Stands in for EventBridge: each replay is in each of `states` for one look, and remains in the last."""

    states: Sequence[str]
    replays: dict[str, Any] = field(default_factory=dict)
    looks: dict[str, int] = field(default_factory=dict)

    class exceptions:  # noqa: N801 - as boto3 calls it
        ResourceAlreadyExistsException = ThereError

    def describe_archive(self, *, ArchiveName: str) -> Any:  # noqa: N803 - boto3's names
        return {"ArchiveArn": f"archive/{ArchiveName}", "EventSourceArn": f"{BUS_ARN}{BUSES[ArchiveName]}"}

    def describe_rule(self, *, Name: str, EventBusName: str) -> Any:  # noqa: N803
        return {"Arn": f"rule/{EventBusName}/{Name}"}

    def start_replay(self, *, ReplayName: str, **asked: Any) -> None:  # noqa: N803
        if ReplayName in self.replays:
            raise ThereError
        self.replays[ReplayName] = asked

    def describe_replay(self, *, ReplayName: str) -> Any:  # noqa: N803
        look = self.looks.get(ReplayName, 0)
        self.looks[ReplayName] = look + 1
        state = self.states[min(look, len(self.states) - 1)]
        last = {"EventLastReplayedTime": SINCE + timedelta(minutes=look)} if look else {}
        why = {"StateReason": "the bus is gone"} if state == "FAILED" else {}
        return {"ReplayArn": f"replay/{ReplayName}", "State": state, **last, **why}


@dataclass
class Replayed:
    arns: list[str]
    told: list[str]
    slept: list[float]


def replayed(events: Any, resources: dict[str, str], span: Span = SPAN) -> Replayed:
    found = Replayed([], [], [])
    found.arns = replay(events, STACK, resources, span, now=NOW, tell=found.told.append, sleep=found.slept.append)
    return found


def test_a_replay_ends_when_everything_is_delivered_and_reports_how_far_it_is() -> None:
    found = replayed(Events(["STARTING", "RUNNING", "RUNNING", "COMPLETED"]), OWN)

    assert found.arns == [f"replay/{FIRST}"]
    assert found.slept == [again.POLL_SECONDS] * 3
    assert found.told == [
        f"{FIRST}: STARTING",
        f"{FIRST}: RUNNING, up to 2026-11-24T00:01:00+0000",
        f"{FIRST}: RUNNING, up to 2026-11-24T00:02:00+0000",
        f"{FIRST}: everything is delivered.",
    ]


def test_every_archive_of_the_stack_is_replayed_to_its_own_rules_for_the_inbox() -> None:
    events = Events(["COMPLETED"])

    replayed(events, {**OWN, **OF_PARTNER})

    own, of_partner = events.replays.values()
    assert own["EventSourceArn"] == "archive/credits-prod-CreditsArchive-1"
    assert own["Destination"] == {
        "Arn": f"{BUS_ARN}{STACK}",
        "FilterArns": [f"rule/{STACK}/{STACK}-inbound-bare", f"rule/{STACK}/{STACK}-inbound"],
    }
    assert of_partner["Destination"] == {
        "Arn": f"{BUS_ARN}{SHOPIFY}",
        "FilterArns": [f"rule/{SHOPIFY}/{STACK}-shopify"],
    }
    assert {(one["EventStartTime"], one["EventEndTime"]) for one in (own, of_partner)} == {(SPAN.since, SPAN.until)}


def test_a_replay_that_was_started_is_waited_for_and_not_started_again() -> None:
    events = Events(["RUNNING", "COMPLETED"], replays={FIRST: "of the call before"})

    assert replayed(events, OWN).arns == [f"replay/{FIRST}"]
    assert events.replays == {FIRST: "of the call before"}


@pytest.mark.parametrize(
    ("states", "text"),
    [
        (["RUNNING", "FAILED"], "is FAILED: the bus is gone"),
        (["CANCELLING", "CANCELLED"], "is CANCELLED: AWS gives no reason"),
        (["RUNNING"], "takes longer than a day"),
    ],
)
@pytest.mark.parametrize("before", [{}, {FIRST: "of the call before"}], ids=["new", "there already"])
def test_a_replay_that_does_not_complete_is_no_success(states: list[str], text: str, before: dict[str, str]) -> None:
    with pytest.raises(ReplayError, match=text):
        replayed(Events(states, replays=dict(before)), OWN)


def test_what_has_just_passed_the_bus_is_not_replayed_yet() -> None:
    events = Events(["COMPLETED"])

    with pytest.raises(ReplayError, match=r"later than ten minutes ago.* give 2026-11-24T01:00:00\+0000, or wait"):
        replayed(events, OWN, Span(since=SINCE, until=SPAN.until + timedelta(seconds=1)))

    assert events.replays == {}


def test_a_stack_without_an_archive_is_told_so() -> None:
    with pytest.raises(ReplayError, match="credits-prod keeps no archive"):
        replayed(Events([]), {"InboundRule": "bus|rule"})


def test_the_longest_name_of_a_stack_leaves_room_for_different_replays() -> None:
    longest = "x" * STACK_CHARACTERS
    later = Span(since=SINCE, until=SPAN.until + timedelta(seconds=1))
    names = [replay_name(longest, archive, span) for archive in again.RULES for span in (SPAN, later)]

    assert len(set(names)) == len(names)
    assert {len(name) for name in names} == {again.NAME_CHARACTERS}
    assert names[0] == replay_name(longest, "CreditsArchive", SPAN)


def test_the_same_times_in_another_zone_are_the_same_replay() -> None:
    zone = timezone(timedelta(hours=2))
    there = Span(since=SPAN.since.astimezone(zone), until=SPAN.until.astimezone(zone))

    assert replay_name(STACK, "CreditsArchive", there) == FIRST
