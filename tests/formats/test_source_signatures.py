"""Signatures over the raw body: what is not signed as it should be is refused (contract, section 15, point 1)."""

import base64
import hmac
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.contracts.sources.signatures import check_shopify, check_stripe, shopify_signature, stripe_signature
from chalicelib.domain.errors import Code, Rejected
from tests.support.webhooks import order, text

BODY = text(order()).encode()
NOW = datetime(2026, 11, 28, 12, 0, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
OLD, NEW = "hush-old", "whsec_new"
GOOD = shopify_signature(BODY, OLD)
V1 = stripe_signature(BODY, OLD, at=NOW).partition("v1=")[2]


def shopify_refused(headers: dict[str, Any], body: bytes = BODY, secrets: tuple[str, ...] = (OLD,)) -> None:
    with pytest.raises(Rejected) as caught:
        check_shopify(body, headers, secrets)
    assert (caught.value.code, caught.value.field) == (Code.SIGNATURE_INVALID, "X-Shopify-Hmac-Sha256")
    assert not any(secret and secret in str(caught.value) for secret in secrets)


def stripe_refused(headers: dict[str, Any], body: bytes = BODY, secrets: tuple[str, ...] = (OLD,)) -> None:
    with pytest.raises(Rejected) as caught:
        check_stripe(body, headers, secrets, now=NOW)
    assert (caught.value.code, caught.value.field) == (Code.SIGNATURE_INVALID, "Stripe-Signature")


def test_shopify_signs_with_base64_of_hmac_sha256() -> None:
    signature = base64.b64encode(hmac.new(b"hush-old", BODY, sha256).digest()).decode()
    check_shopify(BODY, {"x-shopify-hmac-sha256": signature}, [OLD])


def test_stripe_signs_the_time_and_the_body_in_hex() -> None:
    signature = hmac.new(b"hush-old", f"{SECONDS}.".encode() + BODY, sha256).hexdigest()
    check_stripe(BODY, {"stripe-signature": f"t={SECONDS},v1={signature},v0=whatever"}, [OLD], now=NOW)


@pytest.mark.parametrize("secrets", [(OLD,), (NEW, OLD), (OLD, NEW), ("", OLD)])
def test_any_of_several_secrets_will_do(secrets: tuple[str, ...]) -> None:
    check_shopify(BODY, {"X-Shopify-Hmac-Sha256": GOOD}, secrets)
    check_stripe(BODY, {"Stripe-Signature": stripe_signature(BODY, OLD, at=NOW)}, secrets, now=NOW)


def test_any_of_several_signatures_will_do() -> None:
    other = "0" * 64
    for named in (f"v1={V1},v1={other}", f"v1={other},v1={V1}"):
        check_stripe(BODY, {"Stripe-Signature": f"t={SECONDS},{named}"}, [OLD], now=NOW)


@pytest.mark.parametrize("late", [timedelta(), timedelta(minutes=5), timedelta(minutes=-5), timedelta(seconds=299.9)])
def test_five_minutes_either_way_are_in_time(late: timedelta) -> None:
    check_stripe(BODY, {"Stripe-Signature": stripe_signature(BODY, OLD, at=NOW)}, [OLD], now=NOW + late)


@pytest.mark.parametrize(
    "late", [timedelta(seconds=301), timedelta(seconds=-301), timedelta(days=3), timedelta(days=-3)]
)
def test_more_than_five_minutes_are_stale(late: timedelta) -> None:
    stripe_refused({"Stripe-Signature": stripe_signature(BODY, OLD, at=NOW + late)})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Shopify-Hmac-Sha256": ""},
        {"X-Shopify-Hmac-Sha256": None},
        {"X-Shopify-Hmac-Sha256": [GOOD]},
        {"X-Shopify-Hmac-Sha256": f"{GOOD},{GOOD}"},
        {"X-Shopify-Hmac-Sha256": f"{GOOD} "},
        {"X-Shopify-Hmac-Sha256": f"\n{GOOD}"},
        {"X-Shopify-Hmac-Sha256": GOOD, "x-shopify-hmac-sha256": GOOD},
        {"X-Shopify-Hmac-Sha256": GOOD.rstrip("=")},
        {"X-Shopify-Hmac-Sha256": GOOD[:-4]},
        {"X-Shopify-Hmac-Sha256": base64.b64encode(b"").decode()},
        {"X-Shopify-Hmac-Sha256": base64.b64decode(GOOD).hex()},
        {"X-Shopify-Hmac-Sha256": "ü" * 44},
        {"X-Shopify-Hmac-Sha256": "A" * 100_000},
        {"X-Shopify-Hmac-Sha256": shopify_signature(BODY, NEW)},
        {"X-Shopify-Hmac-Sha256": shopify_signature(BODY, "")},
        {"Stripe-Signature": GOOD},
    ],
)
def test_a_shopify_header_that_is_bad_missing_or_doubled_is_refused(headers: dict[str, Any]) -> None:
    shopify_refused(headers)


@pytest.mark.parametrize(
    "header",
    [
        "",
        None,
        ["t=1"],
        f"v1={V1}",
        f"t={SECONDS}",
        f"t={SECONDS},v0={V1}",
        f"t={SECONDS},t={SECONDS},v1={V1}",
        f"t={SECONDS},v1={V1}x",
        f"t={SECONDS},v1={V1.upper()}",
        f"t={SECONDS},v1={V1[:-2]}",
        f"t={SECONDS},v1=",
        f"t={SECONDS};v1={V1}",
        f"t={SECONDS},v1={V1},",
        f"t={SECONDS},v1={V1},=",
        f"t={SECONDS}.0,v1={V1}",
        f"t=-{SECONDS},v1={V1}",
        f"t=+{SECONDS},v1={V1}",
        f"t={SECONDS + 1},v1={V1}",
        f"t={'9' * 400},v1={V1}",
        f"t=٥,v1={V1}",
        f"t={SECONDS},v1={'0' * 64}",
        f"t={SECONDS}" + f",v1={'0' * 64}" * 16 + f",v1={V1}",
        f"t={SECONDS},v1={V1}" + ",v0=x" * 1000,
        stripe_signature(BODY, NEW, at=NOW),
        stripe_signature(BODY, "", at=NOW),
    ],
)
def test_a_stripe_header_that_is_bad_or_missing_is_refused(header: Any) -> None:
    stripe_refused({"Stripe-Signature": header})


def test_a_doubled_stripe_header_is_refused() -> None:
    good = stripe_signature(BODY, OLD, at=NOW)
    stripe_refused({"Stripe-Signature": good, "STRIPE-SIGNATURE": good})


@pytest.mark.parametrize("secrets", [(), ("",), ("", "")])
def test_without_a_secret_nothing_is_signed(secrets: tuple[str, ...]) -> None:
    shopify_refused({"X-Shopify-Hmac-Sha256": shopify_signature(BODY, "")}, secrets=secrets)
    stripe_refused({"Stripe-Signature": stripe_signature(BODY, "", at=NOW)}, secrets=secrets)


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_a_changed_byte_breaks_the_signature(place: int, change: int) -> None:
    changed = BODY[:place] + bytes([BODY[place] ^ change]) + BODY[place + 1 :]
    shopify_refused({"X-Shopify-Hmac-Sha256": GOOD}, changed)
    stripe_refused({"Stripe-Signature": f"t={SECONDS},v1={V1}"}, changed)


@given(st.text(max_size=200))
def test_no_header_is_more_than_refused(header: str) -> None:
    shopify_refused({"X-Shopify-Hmac-Sha256": header})
    stripe_refused({"Stripe-Signature": header})


def test_an_added_or_missing_byte_breaks_the_signature() -> None:
    for changed in (BODY + b"\n", BODY[:-1], b"", b"\xef\xbb\xbf" + BODY):
        shopify_refused({"X-Shopify-Hmac-Sha256": GOOD}, changed)
        stripe_refused({"Stripe-Signature": f"t={SECONDS},v1={V1}"}, changed)
