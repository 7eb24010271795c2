"""Events to bytes and back, without loss, and the chain that ties each record to all before it.

A record is JSON: {"v": schema version, "t": type name, "e": the event}. Decimals are strings, times ISO 8601 in UTC. A record
of an unknown type or a newer version is refused by name, never skipped: a fold with holes is not a state. An older version is
brought up step by step (`UPGRADES`); nothing on the disk is rewritten for that, the chain is over the bytes as they were written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from types import UnionType
from typing import Any, Final, TypeAlias, Union, get_args, get_origin

import msgspec

from trading_system.domain.errors import TradingError
from trading_system.domain.events import JournalEvent

SCHEMA_VERSION: Final = 2
"""1: the first. 2: knows JournalCompacted; every record of version 1 reads as it is."""
Upgrade: TypeAlias = Callable[[str, dict[str, Any]], tuple[str, dict[str, Any]]]
"""From (type name, plain event) of one version to the next."""
UPGRADES: Final[Mapping[int, Upgrade | None]] = {1: None}
"""Version → what brings its records to the next one; None = they read as they are."""
GENESIS: Final = hashlib.sha256(b"trading-system journal").digest()
"""What the first record is chained to."""


class JournalCorrupt(TradingError):
    """The journal cannot be trusted from `seq` on. Do not write to it; set it aside and rebuild protection from the venue."""

    def __init__(self, seq: int, why: str) -> None:
        super().__init__(f"journal record {seq}: {why}")
        self.seq = seq


class _Envelope(msgspec.Struct, frozen=True):
    v: int
    t: str
    e: msgspec.Raw


_ENCODER: Final = msgspec.json.Encoder()
_ENVELOPES: Final = msgspec.json.Decoder(_Envelope)


@cache
def _event_types() -> dict[str, type]:
    if get_origin(JournalEvent) not in (Union, UnionType):  # pragma: no cover - a union by its declaration
        raise TypeError("JournalEvent must be a union")
    return {member.__name__: member for member in get_args(JournalEvent)}


@cache
def _decoder(name: str) -> msgspec.json.Decoder[JournalEvent] | None:
    member = _event_types().get(name)
    return None if member is None else msgspec.json.Decoder(member)


def encode_event(event: JournalEvent) -> bytes:
    """One record. Same event, same bytes."""
    return b'{"v":%d,"t":"%s","e":%s}' % (SCHEMA_VERSION, type(event).__name__.encode(), _ENCODER.encode(event))


def decode_event(
    seq: int, payload: bytes, *, version: int = SCHEMA_VERSION, upgrades: Mapping[int, Upgrade | None] = UPGRADES
) -> JournalEvent:
    """The event of a record; JournalCorrupt(seq) when it is not one this program knows."""
    try:
        envelope = _ENVELOPES.decode(payload)
    except msgspec.MsgspecError as error:
        raise JournalCorrupt(seq, f"unreadable ({error})") from error
    if envelope.v > version:
        raise JournalCorrupt(seq, f"written by a newer version (schema {envelope.v}, this program knows {version})")
    name, body = envelope.t, bytes(envelope.e)
    if envelope.v < version:
        name, body = _upgraded(seq, envelope, version, upgrades)
    decoder = _decoder(name)
    if decoder is None:
        raise JournalCorrupt(seq, f"of unknown type {name!r}")
    try:
        return decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise JournalCorrupt(seq, f"a {envelope.t} with a wrong field ({error})") from error


def _upgraded(seq: int, envelope: _Envelope, version: int, upgrades: Mapping[int, Upgrade | None]) -> tuple[str, bytes]:
    """Type name and event of an older record as `version` would have written it."""
    name, body = envelope.t, bytes(envelope.e)
    for step in range(envelope.v, version):
        if step not in upgrades:
            raise JournalCorrupt(seq, f"written by schema {envelope.v}, which this program cannot bring to {version}")
        upgrade = upgrades[step]
        if upgrade is not None:
            try:
                name, plain = upgrade(name, msgspec.json.decode(body))
            except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
                raise JournalCorrupt(seq, f"a {name} of schema {envelope.v} that cannot be brought to {version} ({error!r})") from error
            body = _ENCODER.encode(plain)
    return name, body


def chain_hash(previous: bytes, payload: bytes) -> bytes:
    """sha256(previous + payload): a changed, missing or swapped record breaks every later one."""
    return hashlib.sha256(previous + payload).digest()
