"""The identity provider's key set, over real sockets: all that a provider may answer, and what it may not spoil."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socket import SO_LINGER, SOL_SOCKET, socket
from socketserver import StreamRequestHandler, ThreadingTCPServer
from struct import pack
from threading import Thread
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.exceptions import PyJWKClientConnectionError

from chalicelib.adapters import key_set
from chalicelib.adapters.key_set import KeySet
from chalicelib.adapters.tokens import TokenRefusedError
from tests.functions.test_tokens import ec_key, other_ec_key, rsa_key, signed, verifier
from tests.support.builders import SHOP

Answer = Callable[[socket], None]
"""Answers one request on its connection."""


class Provider(ThreadingTCPServer):
    """An identity provider on loopback; `answer` is what it does next. `asked` counts the requests."""

    daemon_threads = True
    allow_reuse_address = True
    answer: Answer
    asked = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/keys"


class OneRequest(StreamRequestHandler):
    server: Provider

    def handle(self) -> None:
        while self.rfile.readline().strip():
            continue
        self.server.asked += 1
        try:
            self.server.answer(self.request)
        except OSError:
            return


@contextmanager
def provider(answer: Answer) -> Iterator[Provider]:
    with Provider(("127.0.0.1", 0), OneRequest) as server:
        server.answer = answer
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def page(body: bytes | str, status: str = "200 OK", *headers: str) -> Answer:
    content = body.encode() if isinstance(body, str) else body
    head = "\r\n".join([f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(content)}", "Connection: close", "", ""])
    return lambda connection: connection.sendall(head.encode() + content)


def keys(*members: Any) -> Answer:
    return page(json.dumps({"keys": members}))


def jwk(name: Any, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, **other: Any) -> dict[str, Any]:
    algorithms = jwt.algorithms
    if isinstance(key, rsa.RSAPrivateKey):
        public = algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        public = algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**public, "kid": name, "use": "sig", **other}


def reset(connection: socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{")
    connection.setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", 1, 0))
    connection.close()


def drip(connection: socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
    _drop_by_drop(connection)


def drip_the_head(connection: socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    _drop_by_drop(connection)


def _drop_by_drop(connection: socket) -> None:
    while True:
        connection.sendall(b" ")
        time.sleep(0.02)


def flood(connection: socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b" " * 65536)


GOOD = keys(jwk("first", ec_key()))
FAILURES: dict[str, Answer] = {
    "500": page("{}", "500 Internal Server Error"),
    "404": page("{}", "404 Not Found"),
    "nothing": lambda _: None,
    "no content": page("", "204 No Content"),
    "a reset connection": reset,
    "no HTTP": lambda connection: connection.sendall(b"220 mail.example ESMTP\r\n\r\n"),
    "a page of HTML": page("<html>Sign in</html>", "200 OK", "Content-Type: text/html"),
    "a list": page("[]"),
    "a text": page('"keys"'),
    "null": page("null"),
    "no UTF-8": page(b"\xff\xfe\x00"),
    "JSON of depth 100,000": page("[" * 100_000),
    "a number of 5,000 digits": page('{"keys": ' + "9" * 5000 + "}"),
    "half a set": lambda connection: connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"keys": ['),
    "an empty object": page("{}"),
    "an empty set": keys(),
    "keys that are an object": page('{"keys": {"kid": "first"}}'),
    "members that are no keys": keys(None, 5, "first", [], {}),
    "a key for encryption": keys(jwk("first", ec_key(), use="enc")),
    "a key of another type": keys(jwk("first", rsa_key())),
    "a key of another curve": keys(jwk("first", ec.generate_private_key(ec.SECP384R1()))),
    "a key for another algorithm": keys(jwk("first", rsa_key(), alg="RS512")),
    "a secret": keys({"kty": "oct", "k": "c2VjcmV0", "kid": "first"}),
    "a key whose numbers are none": keys(jwk("first", ec_key(), x=5)),
    "a key whose type is a list": keys(jwk("first", ec_key(), kty=["EC"])),
    "a key without a name": keys(jwk("", ec_key())),
    "a key whose name is a number": keys(jwk(5, ec_key())),
    "a redirect": page("", "302 Found", "Location: http://127.0.0.1:9/keys"),
    "a redirect to a file": page("", "301 Moved Permanently", "Location: file:///etc/passwd"),
    "an answer drop by drop": drip,
    "a head drop by drop": drip_the_head,
    "an answer without end": flood,
}


ENDS_WITHIN_SECONDS = 30
"""Enough for a busy machine, and far less than the answers without an end would take."""


def bearer() -> str:
    """Return a header with a new token: the tests of a whole run take longer than one lives."""
    return f"Bearer {signed(headers={'kid': 'first'})}"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_set, "FETCH_SECONDS", 0.3)


def expire(known: KeySet) -> None:
    assert known.jwk_set_cache is not None
    known.jwk_set_cache.lifespan = 0


@pytest.mark.parametrize("kind", FAILURES)
def test_known_keys_go_on_whatever_the_provider_answers(kind: str) -> None:
    with provider(GOOD) as server:
        known = KeySet(server.url, "ES256")
        verifier(known).bearer(bearer())
        expire(known)
        server.answer, started = FAILURES[kind], time.monotonic()

        assert verifier(known).bearer(bearer()).merchant_id == SHOP
        assert server.asked == 2
        assert time.monotonic() - started < ENDS_WITHIN_SECONDS


@pytest.mark.parametrize("kind", FAILURES)
def test_without_any_key_nobody_is_let_in_and_nobody_is_called_a_forger(kind: str) -> None:
    with provider(FAILURES[kind]) as server:
        known, started = KeySet(server.url, "ES256"), time.monotonic()
        for _ in range(20):
            with pytest.raises(PyJWKClientConnectionError):
                verifier(known).bearer(bearer())

        assert server.asked == 1
        assert time.monotonic() - started < ENDS_WITHIN_SECONDS


def test_a_port_where_nobody_listens_is_no_key_set() -> None:
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(PyJWKClientConnectionError):
            verifier(KeySet(f"http://127.0.0.1:{free.getsockname()[1]}/keys", "ES256")).bearer(bearer())


def test_known_keys_end_after_a_day_without_the_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    with provider(GOOD) as server:
        known = KeySet(server.url, "ES256")
        verifier(known).bearer(bearer())
        expire(known)
        server.answer = reset
        known._read_at -= key_set.KEYS_STALE_SECONDS - 5
        verifier(known).bearer(bearer())
        known._read_at -= 10

        with pytest.raises(PyJWKClientConnectionError):
            verifier(known).bearer(bearer())


def test_a_provider_that_is_back_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_set, "RETRY_SECONDS", 0.0)
    with provider(reset) as server:
        known = KeySet(server.url, "ES256")
        with pytest.raises(PyJWKClientConnectionError):
            verifier(known).bearer(bearer())
        server.answer = GOOD

        assert verifier(known).bearer(bearer()).merchant_id == SHOP


def test_a_malformed_key_does_not_spoil_the_others() -> None:
    bad = (5, {"kty": "EC"}, jwk("x", ec_key(), x=5), jwk("y", rsa_key(), n=5), jwk("z", ec_key(), kty=[]))
    with provider(keys(*bad, jwk("first", ec_key()))) as server:
        assert verifier(KeySet(server.url, "ES256")).bearer(bearer()).merchant_id == SHOP


def test_keys_are_read_once_for_many_tokens() -> None:
    with provider(keys(jwk("first", ec_key()), jwk("second", other_ec_key()))) as server:
        verify = verifier(KeySet(server.url, "ES256"))
        for key, name in ((ec_key(), "first"), (other_ec_key(), "second")) * 3:
            assert verify.bearer(f"Bearer {signed(key, headers={'kid': name})}").merchant_id == SHOP

        assert server.asked == 1


@pytest.mark.parametrize("failing", [False, True])
def test_unknown_keys_do_not_make_us_ask_again_and_again(failing: bool) -> None:
    with provider(GOOD) as server:
        known = KeySet(server.url, "ES256")
        verifier(known).bearer(bearer())
        known._last_successful_fetch = time.monotonic() - 31
        server.answer = reset if failing else GOOD
        for number in range(20):
            with pytest.raises(TokenRefusedError):
                verifier(known).bearer(f"Bearer {signed(headers={'kid': f'made up {number}'})}")

        assert server.asked == 2
        assert verifier(known).bearer(bearer()).merchant_id == SHOP


def test_a_token_of_another_algorithm_is_refused_without_asking_for_keys() -> None:
    with provider(GOOD) as server:
        with pytest.raises(TokenRefusedError):
            verifier(KeySet(server.url, "ES256")).bearer(
                f"Bearer {signed(rsa_key(), 'RS256', headers={'kid': 'first'})}"
            )

        assert server.asked == 0
