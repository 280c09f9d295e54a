"""How NATS is reached: one login, TLS for all or for none, and sentences that name a setting and no secret."""

import base64
from pathlib import Path

import pytest

from infra.bridge.access import Access, AccessError
from infra.bridge.nkeys import NkeyError, public_key, signing_key
from tests.support.certificates import Authority

# The example of the documentation of NATS ("NKeys").
SEED = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
PUBLIC = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"
CANARY = "pass-canary"
CREDENTIALS = f"""-----BEGIN NATS USER JWT-----
header.claims-canary.signature
------END NATS USER JWT------

************************* IMPORTANT *************************
-----BEGIN USER NKEY SEED-----
{SEED}
------END USER NKEY SEED------
"""


def access(url: str = "nats://nats-1:4222", **environment: str) -> Access:
    return Access.from_environment({"NATS_URL": url, **environment})


def who(found: Access) -> tuple[str | None, str | None, str | None]:
    login = found.login()
    password = login.get("password")
    return login.get("user"), password() if password else None, login.get("token")


def test_a_seed_is_read_as_nats_writes_it() -> None:
    assert public_key(signing_key(SEED + "\n")) == PUBLIC


@pytest.mark.parametrize(
    "seed", ["", "SU", SEED[:-1], SEED[:-1] + "A", SEED.lower(), PUBLIC, "SA" + SEED[2:], "é" * 58]
)
def test_what_is_no_seed_of_a_user_is_refused_without_its_text(seed: str) -> None:
    with pytest.raises(NkeyError) as raised:
        signing_key(seed)
    assert len(seed) < 3 or seed not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "environment", "login"),
    [
        ("nats://a", {}, (None, None, None)),
        ("nats://bridge:secret@a,nats://bridge:secret@b,nats://c", {}, ("bridge", "secret", None)),
        ("tls://b%40r:p%2Fs%3As@a", {}, ("b@r", "p/s:s", None)),
        ("nats://tok%40en@a", {}, (None, None, "tok@en")),
        ("nats://bridge:@a", {}, ("bridge", "", None)),
        ("nats://a", {"NATS_USER": "old", "NATS_PASSWORD": "service"}, ("old", "service", None)),
        ("nats://a", {"NATS_USER": "", "NATS_PASSWORD": ""}, (None, None, None)),
    ],
)
def test_a_user_comes_from_the_address_or_from_two_settings(
    url: str, environment: dict[str, str], login: tuple[str | None, str | None, str | None]
) -> None:
    found = access(url, **environment)
    assert who(found) == login
    assert not any("@" in server for server in found.servers)


def test_a_password_in_a_file_is_read_anew_at_each_connection(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("first\n")
    found = access(NATS_USER="u", NATS_PASSWORD_FILE=str(file))
    assert who(found) == ("u", "first", None)
    file.write_text("second\n")
    assert who(found) == ("u", "second", None)


def test_credentials_sign_the_servers_nonce_with_their_seed(tmp_path: Path) -> None:
    file = tmp_path / "bridge.creds"
    file.write_text(CREDENTIALS)
    for found in (access(NATS_CREDENTIALS=CREDENTIALS), access(NATS_CREDENTIALS_FILE=str(file))):
        login = found.login()
        assert login["user_jwt_cb"]() == b"header.claims-canary.signature"
        signing_key(SEED).verify_key.verify(b"nonce", base64.b64decode(login["signature_cb"]("nonce")))
        assert set(login) == {"user_jwt_cb", "signature_cb"}


def test_a_seed_alone_signs_too() -> None:
    signature = base64.b64decode(access(NATS_NKEY_SEED=SEED).login()["signature_cb"]("nonce"))
    assert signing_key(SEED).sign(b"nonce").signature == signature


@pytest.mark.parametrize("url", ["tls://a", "nats://a,tls://b", "tls://a:1,nats://b:2"])
def test_one_address_of_tls_asks_for_it_everywhere(url: str) -> None:
    assert access(url).tls


def test_a_private_ca_and_a_client_certificate_ask_for_tls_too(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.signs("client")
    assert not access().tls
    assert access(NATS_CA_FILE=str(authority.file)).tls
    texts = {"NATS_CLIENT_CERTIFICATE": pair.certificate.read_text(), "NATS_CLIENT_KEY": pair.key.read_text()}
    assert access(**texts).tls
    files = {"NATS_CLIENT_CERTIFICATE_FILE": str(pair.certificate), "NATS_CLIENT_KEY_FILE": str(pair.key)}
    assert access(**files).tls


def test_who_names_a_ca_trusts_no_other(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    (trusted,) = access(NATS_CA_FILE=str(authority.file)).context().get_ca_certs()
    assert trusted["subject"] == ((("commonName", "ca"),),)
    assert len(access().context().get_ca_certs()) > 1


@pytest.mark.parametrize(
    ("url", "environment", "named"),
    [
        ("", {}, "NATS_URL"),
        (" , ", {}, "NATS_URL"),
        ("wss://a", {}, "NATS_URL"),
        ("a:4222", {}, "NATS_URL"),
        (f"nats://u:{CANARY}/x@a:4222", {}, "NATS_URL"),
        (f"nats://u:12#{CANARY}@a:4222", {}, "NATS_URL"),
        (f"nats://u:12?{CANARY}@a:4222", {}, "NATS_URL"),
        (f"nats://u:{CANARY}@a,nats://u:other@b", {}, "NATS_URL"),
        ("nats://a", {"NATS_USER": "u"}, "NATS_USER and NATS_PASSWORD"),
        ("nats://a", {"NATS_PASSWORD": CANARY}, "NATS_USER and NATS_PASSWORD"),
        (f"nats://u:{CANARY}@a", {"NATS_USER": "u", "NATS_PASSWORD": CANARY}, "a user in NATS_URL and NATS_USER"),
        ("nats://a", {"NATS_CREDENTIALS": CREDENTIALS, "NATS_NKEY_SEED": SEED}, "NATS_CREDENTIALS and NATS_NKEY_SEED"),
        (f"nats://{CANARY}@a", {"NATS_NKEY_SEED": SEED}, "a user in NATS_URL and NATS_NKEY_SEED"),
        ("nats://a", {"NATS_NKEY_SEED": CANARY}, "NATS_NKEY_SEED"),
        ("nats://a", {"NATS_NKEY_SEED": SEED, "NATS_NKEY_SEED_FILE": "/x"}, "NATS_NKEY_SEED and NATS_NKEY_SEED_FILE"),
        ("nats://a", {"NATS_NKEY_SEED_FILE": "/nowhere"}, "NATS_NKEY_SEED_FILE"),
        ("nats://a", {"NATS_CREDENTIALS_FILE": "/"}, "NATS_CREDENTIALS_FILE"),
        ("nats://a", {"NATS_CREDENTIALS": CANARY}, "NATS_CREDENTIALS"),
        ("nats://a", {"NATS_CREDENTIALS": CREDENTIALS.replace("JWT", "TOKEN")}, "NATS_CREDENTIALS"),
        ("nats://a", {"NATS_CREDENTIALS": CREDENTIALS.replace(SEED, CANARY)}, "NATS_CREDENTIALS"),
        ("nats://a", {"NATS_USER": "u", "NATS_PASSWORD_FILE": "/nowhere"}, "NATS_PASSWORD_FILE"),
        ("nats://a", {"NATS_CA_FILE": "/nowhere"}, "NATS_CA_FILE"),
        ("nats://a", {"NATS_CA_FILE": "/dev/null"}, "NATS_CA_FILE"),
        ("nats://a", {"NATS_CA": CANARY}, "NATS_CA"),
        ("nats://a", {"NATS_CLIENT_CERTIFICATE": CANARY}, "NATS_CLIENT_CERTIFICATE and NATS_CLIENT_KEY"),
        ("nats://a", {"NATS_CLIENT_KEY": CANARY}, "NATS_CLIENT_CERTIFICATE and NATS_CLIENT_KEY"),
        ("nats://a", {"NATS_CLIENT_KEY": CANARY, "NATS_CLIENT_CERTIFICATE": CANARY}, "NATS_CLIENT_CERTIFICATE"),
    ],
)
def test_a_wrong_setting_is_named_in_a_sentence_without_the_secret(
    url: str, environment: dict[str, str], named: str
) -> None:
    with pytest.raises(AccessError) as raised:
        access(url, **environment)
    sentence = str(raised.value)
    assert sentence.startswith(named)
    assert sentence.endswith(".")
    assert CANARY not in sentence
    assert SEED not in sentence


@pytest.mark.parametrize("form", ["text", "file"])
def test_an_encrypted_key_is_refused_and_asks_nobody_for_its_password(tmp_path: Path, form: str) -> None:
    pair = Authority(tmp_path).signs("client", password=b"x")
    settings = {"NATS_CLIENT_CERTIFICATE": pair.certificate, "NATS_CLIENT_KEY": pair.key}
    named = {
        f"{name}_FILE" if form == "file" else name: str(path) if form == "file" else path.read_text()
        for name, path in settings.items()
    }
    with pytest.raises(AccessError, match=r"^NATS_CLIENT_CERTIFICATE.* unencrypted"):
        access(**named)


def test_no_secret_is_in_the_text_of_the_settings(tmp_path: Path) -> None:
    pair = Authority(tmp_path).signs("client")
    shown = repr(
        [
            access(f"tls://user-canary:{CANARY}@a"),
            access(f"tls://{CANARY}@a"),
            access(NATS_USER="user-canary", NATS_PASSWORD=CANARY),
            access(NATS_CREDENTIALS=CREDENTIALS),
            access(NATS_NKEY_SEED=SEED),
            access(NATS_CLIENT_CERTIFICATE=pair.certificate.read_text(), NATS_CLIENT_KEY=pair.key.read_text()),
        ]
    )
    assert "canary" not in shown
    assert SEED not in shown
    assert "PRIVATE KEY" not in shown
