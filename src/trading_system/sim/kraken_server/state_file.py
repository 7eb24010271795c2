"""The exchange's durable memory: one append-only file of checksummed lines, written before an answer leaves.

    header      identity (seed, start, candle directory …) and the throw-away key pair
    snapshot    the model's state as of the last compaction
    commit      one accepted command or published fill since then
    preferences the front's own facts

A torn last line (the process or the machine died while writing) is cut off; damage anywhere else is refused, never guessed.
Market time lives beside it in a small fixed-size file that is overwritten in place, so that it stands still while down.
"""

from __future__ import annotations

import fcntl
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from trading_system.domain.errors import ConfigError, TradingError
from trading_system.sim.kraken_server.auth import Credentials, check_credentials, new_credentials

_VERSION: Final = 1
_PIECE: Final = 500


class StateFileDamaged(TradingError):
    """A line before the last one is unreadable: restore a copy or start a new state file."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a state file held when it was opened."""

    snapshot: Mapping[str, Any] | None
    commits: tuple[Mapping[str, Any], ...]
    preferences: Mapping[str, Any] | None
    market_ms: int | None


class StateFile:
    """One open state file. Single owner: a second opener is refused."""

    def __init__(self, path: Path, identity: Mapping[str, str], credentials: Credentials, remembered: Remembered, lock: int) -> None:
        """Not for callers: use `open`."""
        self.path = path
        self.credentials = credentials
        self.remembered = remembered
        self._identity = dict(identity)
        self._preferences = remembered.preferences
        self._lock = lock
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND)
        self._clock = os.open(_clock_path(path), os.O_WRONLY | os.O_CREAT, 0o600)
        self._is_dirty = False
        self._failure: OSError | None = None
        self._meanwhile: list[bytes] | None = None
        """Lines appended while a compaction is under way; None when there is none."""
        self.bytes_since_snapshot = 0

    @classmethod
    def open(cls, path: Path, identity: Mapping[str, str], make: Callable[[], Credentials] = new_credentials) -> StateFile:
        """Open or create. ConfigError when it belongs to another exchange (seed, start …) or is in use; StateFileDamaged."""
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = _locked(path)
        try:
            if not path.exists():
                _create(path, identity, make())
            credentials, remembered = _load(path, identity)
        except BaseException:
            os.close(lock)
            raise
        return cls(path, identity, credentials, remembered, lock)

    def append(self, record: Mapping[str, Any]) -> None:
        """Write one commit record; durable after `sync`. OSError when the disk refuses, and from then on always.

        A record that is missing or half written must stay the last one: what followed it could not be replayed.
        """
        self._write({"kind": "commit", "record": record})

    def save_preferences(self, record: Mapping[str, Any]) -> None:
        self._preferences = record
        self._write({"kind": "preferences", "record": record})

    def sync(self) -> None:
        """Make everything written so far survive a power cut. Costs nothing when nothing was written. OSError: see `append`."""
        self._check()
        if self._is_dirty:
            try:
                os.fdatasync(self._fd)
            except OSError as error:
                self._failure = error
                raise
            self._is_dirty = False

    def mark_time(self, market_ms: int) -> None:
        """Note market time. Survives the process's death at any instant; after a power cut it may be a little older."""
        os.pwrite(self._clock, b"%020d\n" % market_ms, 0)

    def compact(self, snapshot: Mapping[str, Any]) -> None:
        """Replace the file by its header and `snapshot`, atomically. See `begin_compaction` for the way that stops nobody."""
        write = self.begin_compaction(snapshot)
        write()
        self.finish_compaction()

    def begin_compaction(self, snapshot: Mapping[str, Any]) -> Callable[[], None]:
        """Return the long part of a compaction: it writes `snapshot` to a file beside, and may run in a thread.

        What is appended meanwhile goes to the old file as ever, and `finish_compaction` carries it over.
        """
        self._check()
        lines: list[Mapping[str, Any]] = [_header(self._identity, self.credentials), {"kind": "snapshot", "state": snapshot}]
        if self._preferences is not None:
            lines.append({"kind": "preferences", "record": self._preferences})
        self._meanwhile = []
        return lambda: _write_beside(self.path, lines)

    def finish_compaction(self) -> None:
        """Put the written file, and what was appended meanwhile, in the place of the old one."""
        self._check()
        later, self._meanwhile = b"".join(self._meanwhile or ()), None
        beside = _beside(self.path)
        if later:
            with beside.open("ab", buffering=0) as file:
                _write_all(file.fileno(), later)
                os.fsync(file.fileno())
        _move_into_place(beside, self.path)
        os.close(self._fd)
        self._fd = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        self._is_dirty = False
        self.bytes_since_snapshot = len(later)

    def close(self) -> None:
        """Sync, unless the disk failed before, and release the file."""
        if self._failure is None:
            self.sync()
        for descriptor in (self._fd, self._clock, self._lock):
            os.close(descriptor)

    def _write(self, record: Mapping[str, Any]) -> None:
        self._check()
        line = _line(record)
        try:
            _write_all(self._fd, line)
        except OSError as error:
            self._failure = error
            raise
        if self._meanwhile is not None:
            self._meanwhile.append(line)
        self._is_dirty = True
        self.bytes_since_snapshot += len(line)

    def _check(self) -> None:
        if self._failure is not None:
            raise OSError(f"{self.path}: not written since {self._failure}") from self._failure


def _clock_path(path: Path) -> Path:
    return path.with_name(path.name + ".clock")


def _locked(path: Path) -> int:
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise ConfigError(f"--state {path}: another exchange uses this state file; stop it or name another file") from error
    return descriptor


def _line(record: Mapping[str, Any]) -> bytes:
    text = _encoded(record)
    return b"%08x " % zlib.crc32(text) + text + b"\n"


def _encoded(value: Any) -> bytes:
    """JSON, long lists piece by piece: one call of the encoder holds up every other thread until it is done."""
    if isinstance(value, dict):
        return msgspec.json.encode({name: msgspec.Raw(_encoded(inner)) for name, inner in value.items()})
    if isinstance(value, list) and len(value) > _PIECE:
        pieces = (msgspec.json.encode(value[at : at + _PIECE])[1:-1] for at in range(0, len(value), _PIECE))
        return b"[" + b",".join(pieces) + b"]"
    return msgspec.json.encode(value)


def _header(identity: Mapping[str, str], credentials: Credentials) -> dict[str, Any]:
    return {"kind": "header", "version": _VERSION, "identity": dict(identity), "key": credentials.key, "secret": credentials.secret}


def _create(path: Path, identity: Mapping[str, str], credentials: Credentials) -> None:
    check_credentials(credentials)
    _clock_path(path).unlink(missing_ok=True)
    _write_beside(path, [_header(identity, credentials)])
    _move_into_place(_beside(path), path)


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".new")


def _write_beside(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Write `records` to the file beside, and flush it."""
    descriptor = os.open(_beside(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        for record in records:
            _write_all(descriptor, _line(record))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _move_into_place(beside: Path, path: Path) -> None:
    """Rename, then flush the directory: either the old or the new file is there, whole."""
    beside.rename(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _load(path: Path, identity: Mapping[str, str]) -> tuple[Credentials, Remembered]:
    records = _read_lines(path)
    header = records[0] if records else {}
    if header.get("kind") != "header" or header.get("version") != _VERSION:
        raise StateFileDamaged(f"{path}: no readable header; restore a copy or start a new state file")
    for name in sorted({*identity, *header["identity"]}):
        was, now = header["identity"].get(name), identity.get(name)
        if was != now:
            raise ConfigError(
                f"--state {path} was made with {name}={was}, not {name}={now}; start it with the same {name} or name another file"
            )
    snapshot = preferences = None
    commits: list[Mapping[str, Any]] = []
    for record in records[1:]:
        match record["kind"]:
            case "snapshot":
                snapshot = record["state"]
            case "commit":
                commits.append(record["record"])
            case "preferences":
                preferences = record["record"]
            case unknown:
                raise StateFileDamaged(f"{path}: unknown kind of record {unknown!r}")
    return Credentials(header["key"], header["secret"]), Remembered(snapshot, tuple(commits), preferences, _read_clock(path))


def _read_lines(path: Path) -> list[dict[str, Any]]:
    """All records; a torn end is cut off the file."""
    content = path.read_bytes()
    records: list[dict[str, Any]] = []
    good = 0
    while good < len(content):
        end = content.find(b"\n", good)
        line = content[good : len(content) if end < 0 else end]
        record = None if end < 0 else _parsed(line)
        if record is None:
            if 0 <= end < len(content) - 1:
                raise StateFileDamaged(f"{path}: damaged at byte {good}; restore a copy or start a new state file")
            os.truncate(path, good)
            break
        records.append(record)
        good = end + 1
    return records


def _parsed(line: bytes) -> dict[str, Any] | None:
    checksum, _, text = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(text):
        return None
    record: dict[str, Any] = msgspec.json.decode(text)
    return record


def _read_clock(path: Path) -> int | None:
    """Market time as last noted; None when absent or torn."""
    try:
        text = _clock_path(path).read_bytes()
    except FileNotFoundError:
        return None
    return int(text) if len(text) == 21 and text[:20].isdigit() else None
