"""Signatures are verified over the bytes that arrived (vectors computed by hand from the public description)."""

import base64
import hashlib
import hmac

import pytest

from fakes.kraken_server_rig import KEYS
from trading_system.sim.kraken_server.auth import (
    Credentials,
    challenge_text,
    check_credentials,
    is_authentic,
    new_credentials,
    sign_challenge,
    sign_request,
)

SECRET = KEYS.secret_bytes


def expected(text: str) -> str:
    return base64.b64encode(hmac.new(b"s" * 64, hashlib.sha256(text.encode()).digest(), hashlib.sha512).digest()).decode()


@pytest.mark.parametrize(
    ("post_data", "nonce", "path", "hashed"),
    [
        ("", "", "/derivatives/api/v3/accounts", "/api/v3/accounts"),
        ("symbol=PF_XBTUSD", "", "/derivatives/api/v3/sendorder", "symbol=PF_XBTUSD/api/v3/sendorder"),
        ("a=1", "1788739200000", "/derivatives/api/v3/x", "a=11788739200000/api/v3/x"),
        ("count=5", "", "/api/history/v2/orders", "count=5/api/history/v2/orders"),
    ],
)
def test_the_hashed_text_is_post_data_then_nonce_then_path(post_data: str, nonce: str, path: str, hashed: str) -> None:
    assert sign_request(SECRET, post_data, nonce, path) == expected(hashed)


def test_a_value_is_hashed_as_it_was_escaped_on_the_wire() -> None:
    escaped = "cliOrdId=a%20b%2Bc%2F%C3%A9%3D1"
    good = expected(f"{escaped}/api/v3/sendorder")
    decoded = expected("cliOrdId=a b+c/é=1/api/v3/sendorder")

    def is_good(authent: str) -> bool:
        return is_authentic(KEYS, key=KEYS.key, authent=authent, nonce="", post_data=escaped, url_path="/derivatives/api/v3/sendorder")

    assert is_good(good)
    assert not is_good(decoded)


def test_another_key_is_refused_even_with_a_matching_signature() -> None:
    authent = sign_request(SECRET, "", "", "/derivatives/api/v3/accounts")

    assert not is_authentic(KEYS, key="other", authent=authent, nonce="", post_data="", url_path="/derivatives/api/v3/accounts")


def test_a_challenge_differs_per_connection_and_is_signed_over_its_text() -> None:
    first, second = challenge_text(KEYS, 1), challenge_text(KEYS, 2)

    assert first != second
    assert sign_challenge(SECRET, first) == expected(first)


def test_new_credentials_differ_and_do_not_show_their_secret() -> None:
    one, other = new_credentials(), new_credentials()

    assert one.key != other.key
    assert one.secret not in repr(one)
    check_credentials(one)


def test_a_secret_that_is_no_base64_is_refused() -> None:
    with pytest.raises(ValueError, match="base64"):
        check_credentials(Credentials("k", "not base64!"))
