"""Bearer tokens: what is let in, and every kind of forgery that is not."""

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from chalicelib.adapters.tokens import LEEWAY_SECONDS, ClaimNames, Keys, ParameterKeys, TokenRefusedError, TokenVerifier
from chalicelib.environment import SettingError
from tests.support.builders import SHOP

ISSUER = "https://identity.example"
AUDIENCE = "credit-service"
SECRET = "s" * 32
PEM = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True, slots=True)
class Known:
    """A secret text that is at hand."""

    said: str

    def text(self) -> str:
        return self.said


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def other_ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.public_key().public_bytes(*PEM).decode()


def claims(**other: Any) -> dict[str, Any]:
    now = int(time.time())
    usual = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "shop",
        "iat": now,
        "exp": now + 60,
        "merchant_id": SHOP,
        "scope": "credits:read",
    }
    return {name: value for name, value in {**usual, **other}.items() if value is not None}


def signed(key: Any = None, algorithm: str = "ES256", headers: Mapping[str, Any] | None = None, **other: Any) -> str:
    return jwt.encode(claims(**other), key or ec_key(), algorithm=algorithm, headers=dict(headers or {}))


def verifier(keys: Keys | None = None, algorithm: str = "ES256", names: ClaimNames | None = None) -> TokenVerifier:
    keys = keys or ParameterKeys(Known(public_pem(ec_key())), algorithm)
    return TokenVerifier(keys, algorithm=algorithm, issuer=ISSUER, audience=AUDIENCE, names=names or ClaimNames())


@pytest.mark.parametrize(
    ("algorithm", "private", "public"),
    [
        ("ES256", ec_key, lambda: public_pem(ec_key())),
        ("RS256", rsa_key, lambda: public_pem(rsa_key())),
        ("HS256", lambda: SECRET, lambda: SECRET),
    ],
)
def test_a_token_of_each_algorithm_says_who_asks(algorithm: str, private: Any, public: Any) -> None:
    token = signed(private(), algorithm, merchant_id=SHOP.upper(), scope="credits:read credits:admin")

    bearer = verifier(ParameterKeys(Known(public()), algorithm), algorithm).bearer(f"Bearer {token}")

    assert (bearer.subject, bearer.merchant_id, bearer.scope) == ("shop", SHOP, "credits:read credits:admin")
    assert time.time() + 50 < bearer.expires_at <= time.time() + 60 + LEEWAY_SECONDS


def test_a_token_needs_neither_merchant_nor_scope_nor_subject() -> None:
    bearer = verifier().bearer(f"bearer {signed(merchant_id=None, scope=None, sub=None)}")

    assert (bearer.subject, bearer.merchant_id, bearer.scope) == ("", None, "")


@pytest.mark.parametrize(
    "other",
    [
        {"exp": None},
        pytest.param({"exp": int(time.time()) - LEEWAY_SECONDS - 5}, id="expired"),
        {"exp": "soon"},
        {"exp": float("inf")},
        pytest.param({"nbf": int(time.time()) + 86_400}, id="not yet"),
        pytest.param({"iat": int(time.time()) + 86_400}, id="issued in the future"),
        {"iss": None},
        {"iss": "https://identity.example.evil"},
        {"iss": [ISSUER]},
        {"aud": None},
        {"aud": "another-service"},
        {"sub": 17},
        {"merchant_id": "shop"},
        {"merchant_id": 17},
        {"merchant_id": [SHOP]},
        {"scope": 1},
        {"scope": True},
        {"scope": {"credits:admin": True}},
        {"scope": [["credits:admin"]]},
        {"scope": ["credits:read", 1]},
    ],
    ids=str,
)
def test_a_signed_token_with_a_wrong_claim_is_refused(other: dict[str, Any]) -> None:
    if other == {"exp": float("inf")}:
        # PyJWT would not write it, but an issuer's library may.
        token = jwt.api_jws.encode(json.dumps(claims(**other)).encode(), ec_key(), algorithm="ES256")
    elif {"iss", "sub"} & set(other):
        token = jwt.api_jws.encode(json.dumps(claims(**other)).encode(), ec_key(), algorithm="ES256")
    else:
        token = signed(**other)

    with pytest.raises(TokenRefusedError):
        verifier().bearer(f"Bearer {token}")


def part(value: Any) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def bent(*, head: Any = None, body: Any = None, signature: str | None = None) -> str:
    """Return a good token with some of its parts exchanged."""
    parts = signed().split(".")
    return ".".join(
        [
            parts[0] if head is None else part(head),
            parts[1] if body is None else part(body),
            parts[2] if signature is None else signature,
        ]
    )


def own_jwk() -> str:
    return str(jwt.algorithms.ECAlgorithm.to_jwk(other_ec_key().public_key()))


def forged_with_public_key() -> str:
    head, body = part({"alg": "HS256"}), part(claims())
    digest = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = digest.sign(f"{head}.{body}".encode(), public_pem(ec_key()).encode())
    return f"{head}.{body}.{part(signature)}"


FORGERIES: dict[str, Callable[[], str]] = {
    "of another key": lambda: signed(other_ec_key()),
    "of another algorithm": lambda: signed(rsa_key(), "RS256"),
    "of the public key as a secret": forged_with_public_key,
    "unsigned": lambda: bent(head={"alg": "none"}, signature=""),
    "unsigned, in odd capitals": lambda: bent(head={"alg": "nOnE"}),
    "without algorithm": lambda: bent(head={"typ": "JWT"}),
    "with a changed body": lambda: bent(body=claims(scope="credits:admin")),
    "with a cut signature": lambda: signed()[:-4],
    "with a key of its own": lambda: signed(other_ec_key(), headers={"jwk": json.loads(own_jwk())}),
    "with an address of keys": lambda: signed(other_ec_key(), headers={"jku": "http://127.0.0.1:1/keys"}),
    "with a critical header": lambda: bent(head={"alg": "ES256", "crit": ["x"], "x": 1}),
    "with a header of depth 1,500": lambda: bent(head=b"[" * 1500),
    "with a header that is a list": lambda: bent(head=["ES256"]),
    "with a header that is no text": lambda: bent(head=bytes(range(128, 200))),
    "with a number of 5,000 digits": lambda: bent(head=b'{"alg":' + b"9" * 5000 + b"}"),
    "too long": lambda: bent(body=b"A" * 9000),
    "of two parts": lambda: signed().rpartition(".")[0],
    "of four parts": lambda: f"{signed()}.AAAA",
    "of nothing": lambda: "..",
    "empty": str,
}


@pytest.mark.parametrize("kind", FORGERIES)
def test_a_forged_token_is_refused(kind: str) -> None:
    with pytest.raises(TokenRefusedError):
        verifier().bearer(f"Bearer {FORGERIES[kind]()}")


@pytest.mark.parametrize("header", ["", "Bearer", "Basic {token}", "{token}", "Bearer {token} x", "Bearer\t{token}"])
def test_a_header_without_a_bearer_token_is_refused(header: str) -> None:
    with pytest.raises(TokenRefusedError):
        verifier().bearer(header.format(token=signed()))


def test_a_secret_that_can_be_guessed_verifies_nothing() -> None:
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = signed("short", "HS256")

    with pytest.raises(SettingError, match=r"JWT_KEY_PARAMETER .*HS256.*32"):
        verifier(ParameterKeys(Known("short"), "HS256"), "HS256").bearer(f"Bearer {token}")


@pytest.mark.parametrize(
    ("algorithm", "parameter"),
    [
        ("ES256", lambda: "nonsense"),
        ("ES256", lambda: "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
        ("ES256", lambda: public_pem(rsa_key())),
        ("RS256", lambda: public_pem(ec_key())),
        ("RS256", lambda: SECRET),
        ("HS256", lambda: public_pem(ec_key())),
        ("HS256", lambda: ""),
    ],
)
def test_a_parameter_that_holds_no_key_for_the_algorithm_is_named_and_not_shown(
    algorithm: str, parameter: Callable[[], str]
) -> None:
    token = signed(rsa_key() if algorithm == "RS256" else SECRET if algorithm == "HS256" else ec_key(), algorithm)

    with pytest.raises(SettingError, match=f"JWT_KEY_PARAMETER .*{algorithm}") as named:
        verifier(ParameterKeys(Known(parameter()), algorithm), algorithm).bearer(f"Bearer {token}")

    assert not parameter() or parameter() not in str(named.value)


def pems(*keys: Any) -> str:
    return "".join(public_pem(key) for key in keys)


@pytest.mark.parametrize(
    ("algorithm", "old", "new", "parameter"),
    [
        ("ES256", ec_key, other_ec_key, lambda: pems(ec_key(), other_ec_key())),
        ("HS256", lambda: SECRET, lambda: SECRET[::-1] + "x", lambda: f"{SECRET}\n\n  {SECRET[::-1]}x  \n"),
    ],
)
def test_while_a_key_is_changed_tokens_of_both_are_taken_and_of_no_third(
    algorithm: str, old: Callable[[], Any], new: Callable[[], Any], parameter: Callable[[], str]
) -> None:
    both = verifier(ParameterKeys(Known(parameter()), algorithm), algorithm)

    assert both.bearer(f"Bearer {signed(old(), algorithm)}").subject == "shop"
    assert both.bearer(f"Bearer {signed(new(), algorithm)}").subject == "shop"
    with pytest.raises(TokenRefusedError):
        both.bearer(f"Bearer {signed(third(algorithm), algorithm)}")
    with pytest.raises(TokenRefusedError, match="ExpiredSignatureError"):
        both.bearer(f"Bearer {signed(old(), algorithm, exp=1)}")


def third(algorithm: str) -> Any:
    return "t" * 32 if algorithm == "HS256" else ec.generate_private_key(ec.SECP256R1())


def test_a_bad_key_beside_a_good_one_is_named_before_anybody_is_refused() -> None:
    with pytest.raises(SettingError, match="JWT_KEY_PARAMETER"):
        verifier(ParameterKeys(Known(f"{SECRET}\nshort"), "HS256"), "HS256").bearer(f"Bearer {signed(SECRET, 'HS256')}")


def test_a_refusal_holds_nothing_of_the_token() -> None:
    token = signed(other_ec_key())

    with pytest.raises(TokenRefusedError) as refused:
        verifier().bearer(f"Bearer {token}")

    assert str(refused.value) == "InvalidSignatureError"


COGNITO = ClaimNames(merchant="custom:merchant_id", audience="client_id")


def of_cognito(**other: Any) -> str:
    """Return the header with an access token as Cognito makes them: no `aud`, and scopes of a resource server."""
    usual = {"aud": None, "merchant_id": None, "client_id": AUDIENCE, "token_use": "access"}
    return f"Bearer {signed(**{**usual, **other})}"


def test_an_access_token_of_cognito_is_taken() -> None:
    token = of_cognito(scope="openid https://api.example/v1/credits:read shops/", **{"custom:merchant_id": SHOP})

    bearer = verifier(names=COGNITO).bearer(token)

    assert (bearer.merchant_id, bearer.scope) == (SHOP, "openid credits:read")


@pytest.mark.parametrize(
    "other",
    [
        {"client_id": None},
        {"client_id": "another-client"},
        {"client_id": [AUDIENCE]},
        {"client_id": {AUDIENCE: 1}},
        {"client_id": None, "aud": AUDIENCE},
        {"client_id": "another-client", "aud": AUDIENCE},
        {"custom:merchant_id": [SHOP]},
    ],
    ids=str,
)
def test_a_token_for_another_client_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(TokenRefusedError):
        verifier(names=COGNITO).bearer(of_cognito(**other))


def test_a_client_id_is_no_audience_where_the_standard_claim_is_read() -> None:
    with pytest.raises(TokenRefusedError):
        verifier().bearer(of_cognito())


@pytest.mark.parametrize("claim", ["scope", "scp", "scopes"])
@pytest.mark.parametrize(
    ("scopes", "granted"),
    [
        ("credits:read credits:admin", "credits:read credits:admin"),
        (["credits:read", "credits:admin"], "credits:read credits:admin"),
        (["api/credits:read"], "credits:read"),
        (["credits:read credits:admin"], ""),
        (["credits:admin/", "/", ""], ""),
        ([], ""),
        ("", ""),
    ],
)
def test_scopes_are_a_text_or_a_list_of_whichever_claim_is_named(claim: str, scopes: Any, granted: str) -> None:
    token = f"Bearer {signed(**{'scope': None, claim: scopes})}"

    assert verifier(names=ClaimNames(scope=claim)).bearer(token).scope == granted


def test_what_another_claim_holds_grants_nothing() -> None:
    token = f"Bearer {signed(scope='credits:admin', scopes=['credits:admin'], merchant_id=SHOP)}"

    bearer = verifier(names=ClaimNames(scope="scp", merchant="shop")).bearer(token)

    assert (bearer.scope, bearer.merchant_id) == ("", None)
