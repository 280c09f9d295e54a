"""A merchant is named as people name it, an adjustment is taken back, and who did what is told."""

from typing import Any

import pytest

from chalicelib.domain.actions import ActionType, action_on
from chalicelib.domain.ids import Instant
from infra.commands import actions, alerting, changes, history, letters, naming, status, undoing
from infra.commands.actions import sentence
from tests.functions.test_cli_merchants import NAMELESS, OTHER, street
from tests.functions.test_cli_operations import Desk, desk
from tests.functions.test_dead_letters import POISON
from tests.support.builders import SHOP
from tests.support.events import charged, paid
from tests.support.figures_tables import DESK_TABLE

__all__ = ["desk", "street"]

PENNY = "Last Penny Books"


@pytest.fixture
def people(street: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    target: Any = vars(letters)["find"]()
    for module in (actions, alerting, changes, history, status, naming, undoing):
        monkeypatch.setattr(module, "find", lambda *_: target)
    street.system.configure(DESK_TABLE=DESK_TABLE)
    return street


def lines(desk: Desk, *arguments: str) -> list[str]:
    """Return the lines of a command without those that functions log, which run in this process."""
    return [line for line in desk.run(*arguments).stdout.splitlines() if not line.startswith("{")]


def balance(desk: Desk) -> int:
    found: int = desk.told("balance", SHOP)["balance"]
    return found


def adjusted(desk: Desk, *arguments: str) -> str:
    """Adjust the shop's credits, and return the transaction's id."""
    said = desk.run("adjust", PENNY, "--reason", "a present", "--yes", *arguments)
    assert said.exit_code == 0
    return said.stdout.partition("`credits undo ")[2].partition("`")[0]


@pytest.mark.parametrize("name", [PENNY, "last penny BOOKS", "last-penny.myshopify.com", SHOP, SHOP.upper()])
def test_a_command_takes_a_merchant_by_its_whole_name_its_domain_or_its_id(people: Desk, name: str) -> None:
    assert people.told("balance", name)["merchant_id"] == SHOP
    assert people.told("balance", "cus_1")["merchant_id"] == OTHER


def test_a_name_is_looked_up_where_the_options_after_it_say(people: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []
    target = vars(naming)["find"]()

    def find(*given: object) -> object:
        asked.append(given)
        return target

    monkeypatch.setattr(naming, "find", find)

    people.run("balance", PENNY, "--profile", "finance", "--stage", "prod")
    people.run("balance", SHOP, "--stage", "prod")

    assert asked == [("prod", "finance")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("penny", "No merchant has the id or the name 'penny'. Did you mean 'Last Penny Books'?"),
        ("nobody", "No merchant has the id or the name 'nobody'. `credits merchants` lists them."),
    ],
)
def test_the_beginning_of_a_name_is_not_enough_but_named(people: Desk, text: str, said: str) -> None:
    told = people.run("adjust", text, "--add", "1", "--reason", "x")

    assert told.exit_code == 2
    assert said in " ".join(told.stderr.replace("│", " ").split())


def test_a_name_of_several_is_refused_with_their_ids(people: Desk) -> None:
    assert people.run("link", "stripe:cus_2", NAMELESS, "--label", "last penny books").exit_code == 0

    told = people.run("balance", PENNY)

    assert told.exit_code == 2
    words = " ".join(told.stderr.replace("│", " ").split())
    assert "2 merchants are named 'Last Penny Books'" in words
    assert NAMELESS in words
    assert SHOP in words


def test_a_label_that_ends_in_a_name_is_another_name(people: Desk) -> None:
    assert people.run("link", "stripe:cus_2", NAMELESS, "--label", "The Last Penny Books").exit_code == 0

    assert people.told("balance", PENNY)["merchant_id"] == SHOP


def test_an_adjustment_says_how_it_is_taken_back_and_is_once(people: Desk) -> None:
    before = balance(people)
    command = ("undo", adjusted(people, "--add", "20"), "--yes")

    first, again = people.run(*command), people.run(*command)

    assert (first.exit_code, again.exit_code, balance(people)) == (0, 0, before)
    assert "already applied" in again.stdout


def test_what_was_removed_is_given_back(people: Desk) -> None:
    before = balance(people)

    assert people.run("undo", adjusted(people, "--remove", "30"), "--yes").exit_code == 0

    assert balance(people) == before


def test_credits_that_were_spent_cannot_be_taken_back_but_the_others_can(people: Desk) -> None:
    adjusted(people, "--remove", str(balance(people)))
    given = adjusted(people, "--add", "20")
    people.system.ingest(*(paid(number) for number in range(1, 6)))

    refused = people.run("undo", given)

    assert refused.exit_code == 1
    assert f"15 credits of 20 left, the others are spent: `credits undo {given} --partly`" in refused.stderr
    assert (people.run("undo", given, "--partly", "--yes").exit_code, balance(people)) == (0, 0)
    assert "already applied" in people.run("undo", given, "--yes").stdout
    gone = adjusted(people, "--add", "1")
    people.system.ingest(paid(6))
    assert "Nothing of the 1 credit is left" in people.run("undo", gone, "--partly").stderr


@pytest.fixture
def orders_in_between(people: Desk, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of orders, one of which is paid after each look at the balance, before it is changed."""
    adjust, orders = changes.adjust_one, [2, 3]

    def after_an_order(*given: Any, **named: Any) -> None:
        people.system.ingest(*(paid(orders.pop()) for _ in orders[:1]))
        adjust(*given, **named)

    monkeypatch.setattr(undoing, "adjust_one", after_an_order)
    return orders


@pytest.mark.usefixtures("orders_in_between")
def test_what_an_order_spends_in_between_is_not_taken_back(people: Desk) -> None:
    adjusted(people, "--remove", str(balance(people)))
    given = adjusted(people, "--add", "20")
    people.system.ingest(paid(1))

    assert (people.run("undo", given, "--partly", "--yes").exit_code, balance(people)) == (0, 0)


@pytest.mark.usefixtures("orders_in_between")
def test_an_undo_that_an_order_in_between_refuses_names_the_command_for_the_rest(people: Desk) -> None:
    adjusted(people, "--remove", str(balance(people)))
    given = adjusted(people, "--add", "20")

    refused = people.run("undo", given, "--yes")

    assert refused.exit_code == 1
    assert f"19 credits of 20 left, the others are spent: `credits undo {given} --partly`" in refused.stderr


def test_only_an_adjustment_is_taken_back(people: Desk) -> None:
    (trial,) = people.told("history", PENNY)["items"]

    told = people.run("undo", trial["id"])

    assert told.exit_code == 1
    assert "is not an adjustment that moved credits: TRIAL" in " ".join(told.stderr.split())
    assert "--type adjustment" in people.run("undo", "nothing").stderr


def test_adjustments_are_found_by_their_everyday_name(people: Desk) -> None:
    given = adjusted(people, "--add", "20")

    assert [one["id"] for one in people.told("history", PENNY, "--type", "adjustment")["items"]] == [given]


def test_a_month_is_its_first_moment_to_its_last(people: Desk) -> None:
    (trial,) = people.told("history", PENNY)["items"]
    month = trial["created_at"][:7]

    assert people.told("history", PENNY, "--month", month)["items"] == [trial]
    assert people.told("history", PENNY, "--month", "2020-02")["items"] == []


def test_who_did_what_is_told_of_one_merchant_or_of_all(people: Desk) -> None:
    adjusted(people, "--add", "20", "--admin", "ada")
    assert people.run("threshold", PENNY, "10", "--admin", "grace").exit_code == 0

    threshold, present, linked = lines(people, "actions", PENNY)

    assert threshold.endswith("UTC  grace set the threshold to 10")
    assert "ada added 20 credits: a present (transaction " in present
    assert linked.endswith(" linked shopify:last-penny.myshopify.com")
    everybody = people.run("actions", "--limit", "2").stdout.splitlines()
    assert everybody[0].endswith("Last Penny Books: grace set the threshold to 10")
    assert everybody[-1].startswith("The newest 2; go on with --before ")
    assert people.told("actions", PENNY, "--limit", "1", "--before", everybody[-1].split()[-1])["items"] == [
        people.told("actions", PENNY)["items"][2]
    ]
    assert people.run("actions", NAMELESS).stdout == "No admin has changed anything yet.\n"
    assert people.run("actions", "--before", "1").stdout == "None before this one.\n"
    assert people.run("actions", "--before", "0").exit_code == people.run("actions", "--before", "-5").exit_code == 2


def test_the_end_of_a_freeze_is_shown_with_its_zone_also_beside_local_times() -> None:
    details = {"reason": "fraud", "until": "2099-01-01T00:00:00.000Z", "transaction_id": "t"}
    frozen = action_on(
        ActionType.FROZEN, "t", admin_id="ada", time=Instant("2026-11-01T00:00:00.000Z"), details=details
    )

    assert sentence(frozen) == "froze the account until 2099-01-01 00:00:00 UTC: fraud"


def test_a_later_page_of_actions_is_not_called_the_newest(people: Desk) -> None:
    adjusted(people, "--add", "20")
    assert people.run("threshold", PENNY, "10", "--admin", "grace").exit_code == 0
    first = people.told("actions", PENNY, "--limit", "1")

    footer = lines(people, "actions", PENNY, "--limit", "1", "--before", str(first["next"]))[-1]

    assert footer.startswith("The next 1; go on with --before ")


def test_a_dead_letter_is_found_by_an_order_s_number_and_retried_by_the_console_s_word(people: Desk) -> None:
    people.system.ingest(POISON, charged("order-1042", -5), charged("order-1043", -5))

    (found,) = people.told("dead-letters", "list", "1042")["items"]

    assert "order-1042" in found["body"]
    printed = people.run("dead-letters", "list", "1042").stdout
    assert "`credits dead-letters redrive ID` retries one" in printed
    assert (
        people.run("dead-letters", "list", "1099").stdout == "No dead letter has '1099' in its message; 3 are parked.\n"
    )
    assert people.told("dead-letters", "retry", found["id"])["put_back"] == 1


def test_a_shop_is_connected_by_its_domain_and_its_webhooks_address_is_told(people: Desk) -> None:
    told = people.run("link", "new.myshopify.com", PENNY)

    assert told.exit_code == 0
    assert "shopify:new.myshopify.com" in told.stdout
    assert "/api/v1/webhooks/shopify." in told.stdout
