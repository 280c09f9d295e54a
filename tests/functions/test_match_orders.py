"""`match_orders`: files of orders in S3 are compared at night, in as many calls as it takes, and reported once."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest

import app
from chalicelib.adapters import order_feed
from chalicelib.adapters.order_feed import REPORTS, UNFINISHED
from chalicelib.domain.ids import instant
from chalicelib.usecases import matching
from chalicelib.usecases.comparing import MARGIN_SECONDS
from chalicelib.wiring import for_api, for_figures, for_orders
from tests.support.api import REGION
from tests.support.builders import SHOP, merchant
from tests.support.events import Context, opened, paid
from tests.support.figures_tables import created
from tests.support.order_exports import NOW, exported, row
from tests.support.rights_played import SCHEDULED
from tests.support.system import System, let_no_poll_wait, refusal

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET, PREFIX = "shop-orders", "orders/"
EARLY, LATE = NOW - timedelta(days=4), NOW - timedelta(days=1)
PLENTY = Context(800_000)
SHORT = Context(round(MARGIN_SECONDS * 1000) - 1)
"""A call that has no time left after its first step."""


@dataclass
class Feed:
    """The bucket, and the function that reads it."""

    system: System
    s3: "S3Client"

    def put(self, name: str, content: bytes) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}{name}", Body=content)

    def call(self, context: Context = PLENTY) -> dict[str, Any]:
        answer: dict[str, Any] = app.match_orders(dict.fromkeys(SCHEDULED, ""), context)
        return answer

    def names(self) -> list[str]:
        return [one["Key"] for one in self.s3.list_objects_v2(Bucket=BUCKET, Prefix=REPORTS).get("Contents", [])]

    def read(self, name: str) -> str:
        return self.s3.get_object(Bucket=BUCKET, Key=name)["Body"].read().decode()

    def sold(self, *orders: tuple[str, str]) -> None:
        for order_id, total in orders:
            body = json.loads(paid(order_id, total=total, currency="EUR"))
            self.system.ingest(json.dumps({**body, "timestamp": instant(NOW - timedelta(days=3))}))


def forget() -> None:
    for module in (for_orders, for_api, for_figures):
        for built_once in vars(module).values():
            if hasattr(built_once, "cache_clear"):
                built_once.cache_clear()


@pytest.fixture
def feed(system: System, monkeypatch: pytest.MonkeyPatch) -> Iterator[Feed]:
    created(system.dynamodb, "figures-test")
    system.configure(FIGURES_TABLE="figures-test", ORDERS_BUCKET=BUCKET, ORDERS_PREFIX=PREFIX)
    forget()
    let_no_poll_wait(monkeypatch)
    s3 = boto3.client("s3", region_name=REGION)
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    system.ingest(opened())
    yield Feed(system, s3)
    forget()


def test_a_file_is_compared_once_and_its_report_lies_beside_it(feed: Feed, capsys: pytest.CaptureFixture[str]) -> None:
    feed.sold(("1", "24.90"), ("2", "10"), ("9", "5"))
    feed.put(f"{SHOP}/november.csv", exported(row(1, at=EARLY), row(2, "12.00"), row(3), row(4, at=LATE)))
    before = feed.system.everything()

    [told] = feed.call()["compared"]

    assert (told["found"], told["total"], told["orders"]) == (
        {"other_total": 1, "missing": 2, "not_there": 1},
        4,
        {"recorded": 2},
    )
    summary, differences = feed.names()
    assert (summary, differences) == (f"{told['differences'].removesuffix('l')}", told["differences"])
    assert summary.startswith(f"{REPORTS}{PREFIX}{SHOP}/november.csv.")
    assert json.loads(feed.read(summary)) == told
    lines = [json.loads(line) for line in feed.read(differences).splitlines()]
    assert [(one["kind"], one["line"], one["order_id"]) for one in lines] == [
        ("other_total", 3, "2"),
        ("missing", 4, "3"),
        ("missing", 5, "4"),
        ("not_there", None, "9"),
    ]
    assert json.loads(lines[1]["event"])["payload"]["order_id"] == "3"
    assert '"credits_match_differences":[4' in capsys.readouterr().out
    warned = next(line for line in feed.system.lines() if line["message"] == "orders matched")
    assert (warned["level"], warned["report"], warned["total"]) == ("WARNING", summary, 4)

    assert feed.call() == {"configured": True, "compared": [], "unfinished": None}
    assert feed.system.everything() == before, "it corrected something"
    assert list(feed.system.in_inbox()) == []


def test_a_file_that_agrees_has_a_report_that_says_so(feed: Feed, capsys: pytest.CaptureFixture[str]) -> None:
    feed.sold(("1", "24.90"))
    feed.put(f"{SHOP}/one.csv", exported(row(1)))

    [told] = feed.call()["compared"]

    assert (told["total"], told["differences"], len(feed.names())) == (0, None, 1)
    assert '"credits_match_differences":[0' in capsys.readouterr().out


def test_a_comparison_cut_off_after_every_step_ends_as_one_that_was_not(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "READ_AT_ONCE", 2)
    monkeypatch.setattr(order_feed, "CHUNK_BYTES", 7)
    feed.sold(*((str(number), "24.90") for number in range(1, 9)), ("99", "1"))
    further = {"Name": "#2", "Lineitem name": "a chair"}
    some = [{**row(3), "Id": "x"}, row(4, "1.00"), row(5), row(11), row(6), row(5)]
    content = exported(row(1, at=EARLY), row(2), further, *some, row(8, at=LATE))
    feed.put(f"{SHOP}/whole.csv", content)
    [whole] = feed.call()["compared"]
    feed.put(f"{SHOP}/torn.csv", content)

    calls = 1
    while not (told := feed.call(SHORT))["compared"]:
        assert (told["unfinished"], UNFINISHED in feed.names()) == (f"{PREFIX}{SHOP}/torn.csv", True)
        calls += 1
        assert calls < 20

    [torn] = told["compared"]
    assert calls > 5
    assert UNFINISHED not in feed.names()
    assert (
        torn["found"]
        == whole["found"]
        == {
            "bad_row": 1,
            "other_total": 1,
            "missing": 1,
            "doubled": 1,
            "not_there": 3,
        }
    )
    assert torn["orders"] == whole["orders"]
    assert feed.read(torn["differences"]) == feed.read(whole["differences"])


def test_what_was_half_done_when_the_ledger_did_not_answer_is_done_again(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "READ_AT_ONCE", 2)
    feed.sold(*((str(number), "24.90") for number in range(1, 7)))
    feed.put(f"{SHOP}/some.csv", exported(*(row(number) for number in range(1, 7))))
    feed.system.fail("BatchGetItem", None, refusal("BatchGetItem"))

    assert feed.call()["compared"] == []
    [told] = feed.call()["compared"]

    assert (told["total"], told["orders"]) == (0, {"recorded": 6})


def test_a_file_replaced_while_it_is_compared_is_begun_anew(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "READ_AT_ONCE", 1)
    feed.sold(("1", "24.90"), ("2", "24.90"))
    feed.put(f"{SHOP}/some.csv", exported(row(1), row(7)))
    feed.call(SHORT)
    feed.put(f"{SHOP}/some.csv", exported(row(1), row(2)))

    compared = feed.call()["compared"] + feed.call()["compared"]

    assert [(one["total"], one["fault"]) for one in compared] == [(0, "replaced meanwhile"), (0, None)]
    assert UNFINISHED not in feed.names()


def test_a_folder_names_the_shop_by_its_domain(feed: Feed) -> None:
    feed.sold(("1", "24.90"))
    feed.put("lamps.myshopify.com/a.csv", exported(row(1)))

    [told] = feed.call()["compared"]
    assert (told["total"], told["fault"], feed.names()) == (1, "lamps.myshopify.com is linked to no merchant", [])

    link = {"name": "shopify:lamps.myshopify.com", "merchant_id": SHOP}
    feed.system.dynamodb.put_item(TableName="links-test", Item={name: {"S": text} for name, text in link.items()})
    [told] = feed.call()["compared"]
    assert (told["total"], told["fault"]) == (0, None)


def test_json_lines_name_their_merchants_themselves(feed: Feed) -> None:
    feed.sold(("1", "24.90"))
    line = {"merchant_id": SHOP, "order_id": "1", "total": "24.90", "paid_at": instant(NOW - timedelta(days=3))}
    feed.put("all.jsonl", json.dumps(line).encode())

    assert [one["total"] for one in feed.call()["compared"]] == [0]


def test_a_merchant_without_an_account_is_named_once_in_however_many_calls(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "READ_AT_ONCE", 2)
    line = {"merchant_id": merchant("nobody"), "total": "5", "paid_at": instant(NOW - timedelta(days=3))}
    feed.put("all.jsonl", "\n".join(json.dumps({**line, "order_id": number}) for number in range(6)).encode())

    while not (told := feed.call(SHORT))["compared"]:
        pass

    [report] = told["compared"]
    assert (report["found"], report["orders"]) == ({"no_account": 1}, {"without_account": 6})
    assert json.loads(feed.read(report["differences"]))["merchant_id"] == merchant("nobody")


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("all.csv", exported(row(1)), "names no shop"),
        (f"{SHOP}/a.csv", exported(row(1), encoding="utf-16"), "line 1: UTF-16"),
        (f"{SHOP}/a.csv", exported(row(1), row(2)) + b'"never closed', "line 4, Name: the quotation mark"),
        (f"{SHOP}/a.csv", b"", "no column"),
    ],
    ids=["no shop", "utf-16", "never closed", "empty"],
)
def test_a_file_that_cannot_be_read_is_a_finding_with_its_place(
    feed: Feed, name: str, content: bytes, fault: str
) -> None:
    feed.sold(("1", "24.90"), ("9", "1"))
    feed.put(name, content)

    [told] = feed.call()["compared"]

    assert fault in told["fault"]
    assert told["total"] >= 1
    assert "not_there" not in told["found"], "nobody knows what the rest of the file holds"
    assert feed.call()["compared"] == []


def test_other_files_and_old_ones_are_left_alone(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    feed.put(f"{SHOP}/readme.txt", b"hello")
    monkeypatch.setattr("chalicelib.usecases.comparing.FILES_DAYS", -1)
    feed.put(f"{SHOP}/old.csv", exported(row(1)))

    assert feed.call() == {"configured": True, "compared": [], "unfinished": None}


def test_without_a_bucket_it_does_nothing(system: System) -> None:
    forget()
    told = app.match_orders(dict.fromkeys(SCHEDULED, ""), PLENTY)

    assert told == {"configured": False, "compared": [], "unfinished": None}
