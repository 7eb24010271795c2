"""Verifies signatures the way the venue does: over the exact bytes that arrived, never over re-encoded values.

Source: Kraken Futures API docs, "Generate Authentication Strings" and "WebSocket sign challenge".
The trap it avoids: a server that parses and re-encodes the query accepts what the real venue refuses.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """A key pair. `secret` is base64 text. It has no repr, so it cannot slip into a log."""

    key: str
    secret: str

    @property
    def secret_bytes(self) -> bytes:
        return base64.b64decode(self.secret)


def new_credentials() -> Credentials:
    """A throw-away pair for one state file; worth nothing anywhere else."""
    return Credentials(
        base64.b64encode(secrets.token_bytes(42)).decode(),
        base64.b64encode(secrets.token_bytes(64)).decode(),
    )


def signed_path(url_path: str) -> str:
    """The path that is hashed: a leading `/derivatives` is cut off, history keeps its whole path."""
    return url_path.removeprefix("/derivatives")


def sign_request(secret: bytes, post_data: str, nonce: str, url_path: str) -> str:
    """The `Authent` header. `post_data` = raw query string + raw body; `nonce` = "" when none is sent."""
    digest = hashlib.sha256((post_data + nonce + signed_path(url_path)).encode()).digest()
    return base64.b64encode(hmac.new(secret, digest, hashlib.sha512).digest()).decode()


def is_authentic(credentials: Credentials, *, key: str, authent: str, nonce: str, post_data: str, url_path: str) -> bool:
    """True when key and signature belong to each other and to this very request."""
    if not hmac.compare_digest(key.encode(), credentials.key.encode()):
        return False
    expected = sign_request(credentials.secret_bytes, post_data, nonce, url_path)
    return hmac.compare_digest(authent.encode(), expected.encode())


class Nonces:
    """Which nonces were used. Some disorder is tolerated; requests without one are not judged."""

    TOLERANCE: Final = 10_000
    """How far below the highest a nonce may lie: milliseconds, when clients count so."""

    def __init__(self) -> None:
        self._used: set[int] = set()
        self._highest = 0

    def find_fault(self, text: str) -> str | None:
        """The venue's word for a nonce that cannot be, or None; then it is used."""
        if not text:
            return None
        if not text.isdecimal() or (nonce := int(text)) < self._highest - self.TOLERANCE:
            return "nonceBelowThreshold"
        if nonce in self._used:
            return "nonceDuplicate"
        self._highest = max(self._highest, nonce)
        self._used.add(nonce)
        if len(self._used) > self.TOLERANCE:
            self._used = {used for used in self._used if used >= self._highest - self.TOLERANCE}
        return None


def sign_challenge(secret: bytes, challenge: str) -> str:
    """What a client answers to a WebSocket challenge."""
    digest = hashlib.sha256(challenge.encode()).digest()
    return base64.b64encode(hmac.new(secret, digest, hashlib.sha512).digest()).decode()


def challenge_text(credentials: Credentials, connection: int) -> str:
    """The challenge of one connection: a UUID nobody without the secret can foresee, and the same in every replay."""
    digest = hmac.new(credentials.secret_bytes, f"challenge {connection}".encode(), hashlib.sha256).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def check_credentials(credentials: Credentials) -> None:
    """ValueError unless the secret is base64 text."""
    try:
        base64.b64decode(credentials.secret, validate=True)
    except binascii.Error as error:
        raise ValueError("the API secret must be base64 text") from error
