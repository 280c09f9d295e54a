"""Hostile requests, each with the 4xx that it should get: one table for the application in process and for the stack.

A row is written as the request is sent. `<shop>`, `<other>`, `<nobody>`, `<foreign transaction>` and `<cursor>` in a
path or body are replaced by the values in `Scene`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from tests.support.forger import Forger, bent, forged_tokens

UNCHANGED = 5
"""Credits that a row would move if it were let through."""
ACCOUNT = "/api/v1/credits/accounts/<shop>"
BATCH = "/api/v1/credits/plugin-status/batch"
ADJUST = "/api/v1/credits/admin/adjustments"
OLD_ADJUST = "/api/v1/credits/transactions/admin/manual-adjustment"
THRESHOLD = "/api/v1/credits/admin/accounts/<shop>/low-balance-threshold"
HISTORY = "/api/v1/credits/transactions"
STATS = "/api/v1/credits/transactions/merchant/<shop>/stats"
ADMIN = "/api/v1/credits/admin"
LEVELS, GRACE, FREEZE = (f"{ADMIN}/accounts/<shop>/{what}" for what in ("levels", "grace", "freeze"))
LINK = f"{ADMIN}/links/shopify/hostile.myshopify.com"
ACTIVITY, LETTERS = "/api/v1/credits/admin/activity", "/api/v1/credits/admin/dead-letters"
ZERO, LOW = "/api/v1/credits/admin/zero-balance", "/api/v1/credits/admin/low-balance"
ROUTES = json.loads(Path("chalicelib/static/openapi.json").read_text())["paths"]
"""Every route, as the API's document has it."""
IN_PATHS = {
    "{merchant_id}": "<other>",
    "{transaction_id}": "<foreign transaction>",
    "{month}": "2026-01",
    "{kind}": "shopify",
    "{name}": "hostile.myshopify.com",
    "{letter_id}": "<nobody>",
}
JSON = {"Content-Type": "application/json"}
MEMBERS = {"type", "title", "status", "detail", "instance", "error", "meta"}
LEAKS = ("Traceback", "arn:aws", 'File "', "botocore", "pynamodb", "dynamodb", "chalice")
"""Texts that no answer may hold, in any case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A request and its correct statuses: the first in process, any of them through the emulator's gateway."""

    name: str
    method: str = "GET"
    path: str
    caller: str = "admin"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    statuses: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The data of the rows: two shops with credits, a transaction of the second, a cursor of the first one's list."""

    shop: str
    other: str
    foreign_transaction: str
    cursor: str
    nobody: str = "00000000-0000-4000-8000-000000000000"

    def filled(self, text: str) -> str:
        """Return `text` with its names replaced."""
        names = {
            "<shop>": self.shop,
            "<other>": self.other,
            "<nobody>": self.nobody,
            "<foreign transaction>": self.foreign_transaction,
            "<cursor>": self.cursor,
            "<bent cursor>": bent(self.cursor),
        }
        for name, value in names.items():
            text = text.replace(name, value)
        return text

    def body(self, row: Row) -> bytes | None:
        """Return the body that the row sends."""
        if row.body is None:
            return None
        names = {b"<shop>": self.shop, b"<other>": self.other, b"<nobody>": self.nobody}
        body = row.body
        for name, value in names.items():
            body = body.replace(name, value.encode())
        return body


IDS = {
    "a word": "shop",
    "a number": "1",
    "a digit too many": "<shop>0",
    "a digit too few": "0f3b5c84-4408-5b74-9732-c65c40ac1c8",
    "braces": "%7B<shop>%7D",
    "a URN": "urn:uuid:<shop>",
    "NUL": "%00",
    "NUL behind an id": "<shop>%00",
    "CRLF": "<shop>%0d%0aSet-Cookie:%20a=b",
    "a newline behind an id": "<shop>%0A",
    "a space before an id": "%20<shop>",
    "5 KB": "a" * 5000,
    "wide digits": "%EF%BC%91" * 36,
    "Arabic-Indic digits": "%D9%A1" * 32,
    "no UTF-8": "%ff%fe",
    "SQL": "'%20OR%201=1--",
    "a template": "$%7Bjndi:ldap:%2F%2F127.0.0.1%2Fa%7D",
    "a wildcard": "*",
    "a path": "..%2F..%2Fetc%2Fpasswd",
    "percent": "%25",
    "a broken escape": "%zz",
}
# What the emulator's gateway makes of an odd path may also be a route that is none, or one it cannot read. A
# line's end in it is more than its reading of the authorizer's policy can take, which is for all paths.
ODD = (400, 404, 401)

WRONG_CREDITS = {
    "0": b"0",
    "-0": b"-0",
    "negative": b"-5",
    "a fraction": b"5.5",
    "a whole fraction": b"5.0",
    "an exponent": b"5e0",
    "a huge exponent": b"5e999999999",
    "NaN": b"NaN",
    "Infinity": b"Infinity",
    "true": b"true",
    "null": b"null",
    "a text": b'"5"',
    "an empty text": b'""',
    "Arabic-Indic digits": '"٥"'.encode(),
    "bare Arabic-Indic digits": "٥".encode(),
    "one more than the most": b"1000000001",
    "2^53+1": b"9007199254740993",
    "2^63": b"9223372036854775808",
    "10^40": b"1" + b"0" * 40,
    "10,000 digits": b"9" * 10_000,
    "hexadecimal": b"0x5",
    "an octal look": b"05",
    "a plus": b"+5",
    "a list": b"[5]",
    "an object": b'{"$numberLong": "5"}',
}


def faults(
    row: Row, status: int, media_type: str, text: str, *, expected: Sequence[int], secrets: Sequence[str]
) -> Iterator[str]:
    """Return the fault of the answer to a row: another status, no problem body, or one with internals."""
    if status not in expected:
        yield f"{row.name}: {status} instead of {expected}: {text[:300]}"
    if media_type != "application/problem+json":
        yield f"{row.name}: answered as {media_type}: {text[:300]}"
    elif not json.loads(text).keys() >= MEMBERS or json.loads(text)["status"] != status:
        yield f"{row.name}: no whole problem: {text[:300]}"
    yield from (f"{row.name}: tells {leak}" for leak in (*LEAKS, *secrets) if leak.lower() in text.lower())


def rows() -> Iterator[Row]:
    """Return every row but those with a forged token, which only a forger can make."""
    yield from _whose()
    yield from _closed()
    yield from _ids()
    yield from _parameters()
    yield from _adjustments()
    yield from _bodies()
    yield from _thresholds()
    yield from _admins()
    yield from _batches()
    yield from _nowhere()


def forged_rows(forger: Forger) -> Iterator[tuple[Row, str]]:
    """Return a row for each forged token, with the header that it sends; every third one tries to move credits."""
    for place, (name, header) in enumerate(forged_tokens(forger).items()):
        row = Row(name=f"token: {name}", path=ACCOUNT, statuses=(401, 403))
        if place % 3 == 2:
            row = _adjusting(f"token: {name}", _adjustment(), statuses=(401, 403))
        yield row, header


def _whose() -> Iterator[Row]:
    foreign = "/api/v1/credits/accounts/<other>"
    for name, path in {
        "account": foreign,
        "account by its alias": "/api/v1/credits/<other>",
        "balance": f"{foreign}/balance",
        "story": f"{foreign}/story",
        "history": f"{HISTORY}?merchant_id=<other>",
        "history by its alias": f"{HISTORY}/merchant/<other>",
        "stats": f"{HISTORY}/merchant/<other>/stats",
        "transaction": f"{HISTORY}/<foreign transaction>",
    }.items():
        yield Row(name=f"foreign {name}", path=path, caller="owner", statuses=(404,))
        yield Row(name=f"{name} for a token of no merchant", path=path, caller="nobody", statuses=(404,))
        yield Row(name=f"{name} without a token", path=path, caller="none", statuses=(401,))
        yield Row(name=f"{name} for ops", path=path, caller="ops", statuses=(403,))
    for caller in ("no scope", "scopes run together"):
        yield Row(name=f"own account with {caller}", path=ACCOUNT, caller=caller, statuses=(403,))
    for caller in ("none", "owner", "other", "ops", "nobody", "no scope", "scopes run together"):
        statuses = (401,) if caller == "none" else (403,)
        yield _adjusting(f"adjustment by {caller}", _adjustment(), caller=caller, statuses=statuses)
        yield _adjusting(
            f"old adjustment by {caller}", _adjustment(), caller=caller, statuses=statuses, path=OLD_ADJUST
        )
        yield _setting(f"threshold by {caller}", b'{"low_balance_threshold": 1}', caller=caller, statuses=statuses)
        yield Row(name=f"zero balances for {caller}", path=ZERO, caller=caller, statuses=statuses)
        yield Row(name=f"low balances for {caller}", path=LOW, caller=caller, statuses=statuses)
        yield Row(name=f"activity for {caller}", path=ACTIVITY, caller=caller, statuses=statuses)
        yield Row(name=f"dead letters for {caller}", path=LETTERS, caller=caller, statuses=statuses)
        yield Row(name=f"a letter for {caller}", path=f"{LETTERS}/<nobody>", caller=caller, statuses=statuses)
        redrive = f"{LETTERS}/<nobody>/redrive"
        yield Row(name=f"redrive by {caller}", method="POST", path=redrive, caller=caller, statuses=statuses)
    for caller in ("nameless admin", "admin of 65 characters", "admin in Greek"):
        yield _adjusting(f"adjustment by {caller}", _adjustment(), caller=caller, statuses=(403,))
    yield Row(name="token in a parameter", path=f"{ACCOUNT}?access_token=x&token=x", caller="none", statuses=(401,))
    yield Row(
        name="identity in headers",
        path=ACCOUNT,
        caller="none",
        headers={"X-Merchant-Id": "<shop>", "X-Amzn-Oidc-Data": "x", "X-Forwarded-User": "admin"},
        statuses=(401,),
    )


def _closed() -> Iterator[Row]:
    """Yield each route that needs a token, without one and with tokens that do not open it."""
    for route, methods in ROUTES.items():
        for method, operation in methods.items():
            path = route
            for name, text in IN_PATHS.items():
                path = path.replace(name, text)
            wanted = [scope for one in operation.get("security", ()) for scope in one["bearer"]]
            refused = {"none": 401, "ops": 403, "owner": 403, "admin": 403} if operation.get("security") else {}
            if "credits:read" in wanted:
                refused = {"none": 401, "ops": 403} | ({"owner": 404} if path != route else {})
            elif "credits:admin" in wanted:
                del refused["admin"]
            elif "credits:ops" in wanted:
                del refused["ops"]
            else:
                refused = {caller: status for caller, status in refused.items() if caller == "none"}
            for caller, status in refused.items():
                yield Row(
                    name=f"{method} {route} for {caller}",
                    method=method.upper(),
                    path=path,
                    caller=caller,
                    headers={**JSON, "Idempotency-Key": str(uuid4())},
                    body=None if method == "get" else b"{}",
                    statuses=(status,),
                )


def _ids() -> Iterator[Row]:
    for name, one in IDS.items():
        yield Row(name=f"status of {name}", path=f"/api/v1/credits/plugin-status/{one}", caller="none", statuses=ODD)
        yield Row(name=f"account of {name}", path=f"/api/v1/credits/accounts/{one}", statuses=ODD)
        yield Row(name=f"transaction {name}", path=f"{HISTORY}/{one}", statuses=ODD)
        yield Row(name=f"history of {name}", path=f"{HISTORY}?merchant_id={one}", statuses=ODD)
        yield _setting(
            f"threshold of {name}", b'{"low_balance_threshold": 1}', path=THRESHOLD.replace("<shop>", one), statuses=ODD
        )


def _parameters() -> Iterator[Row]:
    shop = f"{HISTORY}?merchant_id=<shop>&"
    for query in (
        "page=0",
        "page=-1",
        "page=1.5",
        "page=1e3",
        "page=two",
        "page=%D9%A5",
        "page=10000000000000000000000000000000000000000",
        "page=NaN",
        "page=%001",
        "page=1&page=2",
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=true",
        "limit=20&limit=20",
        "operation_type=BOTH",
        "operation_type=INCREASE%00",
        "transaction_type=*",
        "transaction_type=TRIAL,PAYMENT",
        "start_date=yesterday",
        "start_date=2025-02-30",
        "start_date=99999-01-01",
        "end_date=1764000000",
        "end_date=2025-01-01T00:00:00%2B99:00",
        "start_date=2025-02-01&end_date=2025-01-01",
        "cursor=x",
        "cursor=<bent cursor>",
        "cursor=<cursor>A",
        "cursor=<cursor>%3D",
        "cursor=<cursor>%0A",
        "cursor=<cursor>&page=2",
        "cursor=<cursor>&transaction_type=TRIAL",
        "cursor=<cursor>&start_date=2020-01-01",
        "cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "cursor=..%2F..%2Fetc%2Fpasswd",
        f"cursor={'A' * 5000}",
        "order_id=1&order_id=2",
        "order_id=%00",
        "order_id=%D9%A1",
        f"order_id={'1' * 65}",
        "order_id=1&cursor=<cursor>",
    ):
        yield Row(name=f"history with {query[:50]}", path=f"{shop}limit=1&{query}", statuses=(400,))
    yield Row(name="history with another merchant's cursor", path=_other_shop("<cursor>"), statuses=(400,))
    yield Row(name="history of nobody named", path=HISTORY, statuses=(400,))
    yield Row(name="history of two", path=f"{HISTORY}?merchant_id=<shop>&merchant_id=<other>", statuses=(400,))
    yield Row(name="stats from no date", path=f"{STATS}?start_date=now", statuses=(400,))
    yield Row(name="stats backwards", path=f"{STATS}?start_date=2025-02-01&end_date=2025-01-01", statuses=(400,))
    for query in ("threshold=-1", "threshold=1.5", "threshold=1000000001", "cursor=<cursor>", "page=1", "limit=1000"):
        yield Row(name=f"low balances with {query}", path=f"{LOW}?{query}", statuses=(400,))
    for query in (
        "limit=0",
        "limit=101",
        "limit=all",
        "parking=everywhere",
        "page=2",
        "merchant_id=",
        "parking=inbox&parking=outbox",
    ):
        yield Row(name=f"dead letters with {query}", path=f"{LETTERS}?{query}", statuses=(400,))
    for name, letter in {"129 characters": "x" * 129, "NUL": "%00", "a line's end": "a%0Ab"}.items():
        path = f"{LETTERS}/{letter}"
        yield Row(name=f"a letter of {name}", path=path, statuses=ODD)
        yield Row(name=f"redrive of {name}", method="POST", path=f"{path}/redrive", statuses=ODD)
    yield Row(name="zero balances with a history's cursor", path=f"{ZERO}?cursor=<cursor>", statuses=(400,))


def _adjustments() -> Iterator[Row]:
    for name, value in WRONG_CREDITS.items():
        yield _adjusting(f"credits {name}", _adjustment(credits=value))
    changes: dict[str, dict[str, bytes | None]] = {
        "credits left out": {"credits": None},
        "two names of credits that differ": {"credits_used": b"6"},
        "operation of no kind": {"operation_type": b'"SET"'},
        "operation in lower case": {"operation_type": b'"increase"'},
        "operation left out": {"operation_type": None},
        "reason left out": {"reason": None},
        "reason empty": {"reason": b'""'},
        "reason of blanks": {"reason": b'" \\t "'},
        "reason of 501 characters": {"reason": b'"' + b"r" * 501 + b'"'},
        "reason with a newline": {"reason": b'"a\\r\\nb"'},
        "reason half a character": {"reason": b'"\\ud800"'},
        "reason a list": {"reason": b'["because"]'},
        "merchant left out": {"merchant_id": None},
        "merchant a number": {"merchant_id": b"5"},
        "merchant a list": {"merchant_id": b'["<shop>"]'},
        "merchant with NUL": {"merchant_id": b'"<shop>\\u0000"'},
        "merchants that contradict": {"identifiers": b'{"merchant_id": "<other>"}'},
    }
    for name, change in changes.items():
        yield _adjusting(name, _adjustment(**change))
    yield _adjusting("adjustment of nobody", _adjustment(merchant_id=b'"<nobody>"'), statuses=(404,))
    below_zero = _adjustment(credits=b"1000000000", operation_type=b'"DECREASE"')
    yield _adjusting("below zero", below_zero, statuses=(422,))
    for name, key in {"missing": None, "blank": " ", "too long": "k" * 65, "beyond ASCII": "schl\xfcssel"}.items():
        yield _adjusting(f"key {name}", _adjustment(), key=key)
    old = {"merchant_id": "<shop>", "operation_type": "INCREASE", "reason": "old"}
    query = "&".join(f"{name}={value}" for name, value in old.items())
    for digits in ("0", "-5", "5.0", "%D9%A5", "true", "NaN", "9007199254740993", "5&credits=5", "", "%2B5"):
        path = f"{OLD_ADJUST}?{query}&credits={digits}"
        yield _adjusting(f"old adjustment of {digits}", None, path=path)
    yield _adjusting("old adjustment said twice", _adjustment(), path=f"{OLD_ADJUST}?credits=5")
    yield _adjusting("old adjustment without a key", None, path=f"{OLD_ADJUST}?{query}&credits=5", key=None)


def _bodies() -> Iterator[Row]:
    for name, body in {
        "nothing": b"",
        "half an object": b'{"merchant_id": ',
        "a list": b"[]",
        "null": b"null",
        "a number": b"5",
        "two objects": _adjustment() + _adjustment(),
        "a byte-order mark": b"\xef\xbb\xbf" + _adjustment(),
        "UTF-16": _adjustment().decode().encode("utf-16"),
        "latin-1": _adjustment(reason=b'"\xfc"'),
        "credits twice": _adjustment().replace(b"{", b'{"credits": 5, ', 1),
        "a field twice far inside": _adjustment(note=b'[{"a": 1, "a": 2}]'),
        "10,000 lists deep": _adjustment(note=b"[" * 10_000 + b"]" * 10_000),
        "10,000 objects deep": _adjustment(note=b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
        "XML": b"<adjustment/>",
        "a form": b"merchant_id=<shop>&credits=5",
        "single quotes": b"{'credits': 5}",
        "a comma too many": _adjustment()[:-1] + b",}",
        "a comment": _adjustment() + b"// 5",
    }.items():
        yield _adjusting(f"body: {name}", body)
    for size in (65_537, 1_000_000, 7_000_000):
        large = _adjustment(note=b'"' + b"x" * size + b'"')
        yield _adjusting(f"body of {size} bytes", large, statuses=(413,))
        yield Row(name=f"batch of {size} bytes", method="POST", path=BATCH, body=large, headers=JSON, statuses=(413,))
    for media_type in ("text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data"):
        yield _adjusting(f"sent as {media_type}", _adjustment(), media_type=media_type, statuses=(415,))
    yield _adjusting(
        "sent in latin-1", _adjustment(), media_type="application/json; charset=iso-8859-1", statuses=(415,)
    )


def _thresholds() -> Iterator[Row]:
    for name, value in WRONG_CREDITS.items():
        if name not in {"0", "-0", "null"}:
            yield _setting(f"threshold {name}", b'{"low_balance_threshold": %s}' % value)
    yield _setting("threshold left out", b"{}")
    yield _setting("threshold twice", b'{"low_balance_threshold": 1, "low_balance_threshold": 2}')
    nobodys = THRESHOLD.replace("<shop>", "<nobody>")
    yield _setting("threshold of nobody", b'{"low_balance_threshold": 1}', path=nobodys, statuses=(404,))


def _admins() -> Iterator[Row]:
    """Yield bodies and parameters that the other routes of admins refuse."""
    level = b'{"levels": [{"name": "week", "at": %s, "unit": "%s"}]}'
    bodies: dict[str, tuple[bytes, ...]] = {
        LEVELS: (
            *(level % (at, b"credits") for at in (b"-1", b"1.5", b'"5"', b"true", b"1e9", b"1" + b"0" * 40)),
            *(
                level % (at, unit)
                for at, unit in ((b"0", b"percent"), (b"101", b"percent"), (b"366", b"days"), (b"1", b"weeks"))
            ),
            level.replace(b"week", b"Week") % (b"1", b"credits"),
            level.replace(b"week", b"w" * 25) % (b"1", b"credits"),
            b'{"levels": [%s]}' % b", ".join([b'{"name": "a", "at": 1, "unit": "credits"}'] * 2),
            b'{"levels": [%s]}' % b", ".join(b'{"name": "a%d", "at": 1, "unit": "credits"}' % n for n in range(6)),
        ),
        GRACE: tuple(
            b'{"grace": {"hours": %s, "credits": %s}}' % limits
            for limits in (
                (b"-1", b"0"),
                (b"1.5", b"0"),
                (b'"5"', b"0"),
                (b"true", b"0"),
                (b"8761", b"0"),
                (b"1", b"-1"),
                (b"1", b"1000000001"),
            )
        ),
        FREEZE: (
            b'{"reason": ""}',
            b'{"reason": "%s"}' % (b"r" * 501),
            b'{"reason": "a\\nb"}',
            b'{"reason": "x", "until": "tomorrow"}',
            b'{"reason": "x", "until": true}',
            b'{"until": "2999-01-01T00:00:00Z"}',
        ),
        LINK: (
            b'{"merchant_id": 5}',
            b'{"merchant_id": "<shop>0"}',
            b'{"merchant_id": "<shop>", "label": 5}',
            b'{"merchant_id": "<shop>", "label": "%s"}' % (b"l" * 300),
            b'{"merchant_id": "<shop>", "label": "a\\nb"}',
        ),
        f"{ADMIN}/names": (
            b'{"merchant_ids": []}',
            b'{"merchant_ids": "<shop>"}',
            b'{"merchant_ids": [%s]}' % b", ".join([b'"<shop>"'] * 101),
        ),
        f"{ADMIN}/adjustments/preview": (b'{"csv": 5}', b'{"csv": ""}', b'{"csv": "a,b\\n1,2"}', b'{"undo": "x"}'),
        f"{LETTERS}/<nobody>/discard": (b'{"reason": ""}', b'{"reason": 5}', b'{"reason": "%s"}' % (b"r" * 501)),
    }
    broken = (b"", b"[]", b"null", b"{}", b'{"a": 1, "a": 2}', b"[" * 10_000)
    for path, asked in bodies.items():
        method = "PUT" if path in (LEVELS, GRACE, FREEZE, LINK) else "POST"
        headers = {**JSON, "Idempotency-Key": str(uuid4())}
        for number, body in enumerate((*asked, *broken)):
            yield Row(
                name=f"{method} {path} body {number}",
                method=method,
                path=path,
                headers=headers,
                body=body,
                statuses=(400,),
            )
    yield Row(
        name="a freeze without a key", method="PUT", path=FREEZE, headers=JSON, body=b'{"reason": "x"}', statuses=(400,)
    )
    yield Row(name="an unfreeze without a key", method="DELETE", path=f"{FREEZE}?reason=x", statuses=(400,))
    for path in (
        *(f"{ACCOUNT}/statements/{month}" for month in ("2026-13", "2026-1", "month", "2026-01-01")),
        *(f"{ACCOUNT}/balance?at={at}" for at in ("now", "2999-01-01", "2026-02-30", "1e9")),
        *(f"{ACCOUNT}/days?days={days}" for days in ("0", "91", "x")),
        *(f"{ADMIN}/merchants?{query}" for query in ("status=enabled", f"search={'a' * 256}", "limit=101", "cursor=x")),
        *(f"{ADMIN}/actions?{query}" for query in ("merchant_id=x", "cursor=x")),
        *(f"{ADMIN}/links?{query}" for query in ("kind=ebay", "cursor=x", "merchant_id=x", "page=2")),
        f"{ADMIN}/days?days=91",
        f"{LETTERS}/groups?parking=x",
    ):
        yield Row(name=f"GET {path[:80]}", path=path, statuses=(400,))
    for source in ("shopify", "stripe"):
        path = f"/api/v1/webhooks/{source}"
        yield Row(
            name=f"{source} unsigned",
            method="POST",
            path=path,
            caller="none",
            body=b"{}",
            headers=JSON,
            statuses=(401,),
        )


def _batches() -> Iterator[Row]:
    one = '"<shop>"'
    for name, listed in {
        "nobody": "[]",
        "101": f"[{','.join([one] * 101)}]",
        "no list": one,
        "an object": "{}",
        "null": "null",
        "a number in it": f"[{one}, 5]",
        "a word in it": f'[{one}, "shop"]',
        "null in it": "[null]",
        "a list in it": f"[[{one}]]",
        "NUL in it": '["<shop>\\u0000"]',
    }.items():
        body = f'{{"merchant_ids": {listed}}}'.encode()
        yield Row(name=f"batch of {name}", method="POST", path=BATCH, body=body, headers=JSON, statuses=(400,))
    yield Row(name="batch without a list", method="POST", path=BATCH, body=b"{}", headers=JSON, statuses=(400,))
    yield Row(
        name="batch without a token",
        method="POST",
        path=BATCH,
        caller="none",
        body=b"{}",
        headers=JSON,
        statuses=(401,),
    )


def _nowhere() -> Iterator[Row]:
    for method, path in (
        ("POST", ACCOUNT),
        ("PUT", ACCOUNT),
        ("PATCH", ACCOUNT),
        ("DELETE", ACCOUNT),
        ("DELETE", HISTORY),
        ("GET", ADJUST),
        ("PUT", ADJUST),
        ("DELETE", ADJUST),
        ("POST", THRESHOLD),
        ("DELETE", THRESHOLD),
        ("GET", BATCH + "/"),
        ("TRACE", ACCOUNT),
        ("PROPFIND", ACCOUNT),
        ("FOO", "/api/v1/health"),
        ("POST", "/api/v1/credits/plugin-status/<shop>"),
    ):
        yield Row(name=f"{method} {path}", method=method, path=path, body=b"{}", headers=JSON, statuses=(404, 405, 400))
    for path in (
        "/api",
        "/api/v1",
        "/api/v2/credits/accounts/<shop>",
        "/api/v1/credits",
        "/api/v1/credits/accounts",
        "/api/v1/credits/accounts/<shop>/balance/x",
        "/api/v1/credits/admin",
        "/api/v1/credits/admin/adjustments/x",
        "/api/v1/credits/admin/dead-letters%2F..%2F..",
        "/api/v1/../../../etc/passwd",
        "/.env",
        "/.git/config",
        "/API/V1/HEALTH",
        "/api/v1/health%00",
        "/console/x",
        "/console/x/index.html",
        "/console/x/..%2Findex.html",
        "/console/x/%2Fetc%2Fpasswd",
        "/console/x/y/app.js",
    ):
        yield Row(name=f"nothing at {path}", path=path, statuses=(404, 400))


def _other_shop(cursor: str) -> str:
    return f"{HISTORY}?merchant_id=<other>&limit=1&cursor={cursor}"


def _adjustment(**change: bytes | None) -> bytes:
    """Return the body of a valid adjustment with `change` applied; None leaves a field out."""
    fields: dict[str, bytes | None] = {
        "merchant_id": b'"<shop>"',
        "operation_type": b'"INCREASE"',
        "credits": str(UNCHANGED).encode(),
        "reason": b'"hostile"',
        **change,
    }
    members = (b'"%s": %s' % (name.encode(), value) for name, value in fields.items() if value is not None)
    return b"{" + b", ".join(members) + b"}"


def _adjusting(
    name: str,
    body: bytes | None,
    *,
    path: str = ADJUST,
    caller: str = "admin",
    key: str | None = "new",
    media_type: str = "application/json",
    statuses: tuple[int, ...] = (400,),
) -> Row:
    headers = {"Content-Type": media_type}
    if key is not None:
        # A new key for each request, so that an accepted one cannot be hidden as a repeat of another.
        headers["Idempotency-Key"] = str(uuid4()) if key == "new" else key
    return Row(name=name, method="POST", path=path, caller=caller, headers=headers, body=body, statuses=statuses)


def _setting(
    name: str, body: bytes, *, path: str = THRESHOLD, caller: str = "admin", statuses: tuple[int, ...] = (400,)
) -> Row:
    return Row(name=name, method="PUT", path=path, caller=caller, headers=JSON, body=body, statuses=statuses)
