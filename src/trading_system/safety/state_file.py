"""A small JSON file that survives power loss: write a temporary file, fsync, rename, fsync the directory.

Three-valued reading: a value, no file, or unreadable. Unreadable is never "nothing was there".
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

_SIZE_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Loaded:
    value: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no such file: a first start."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """There is a file and it cannot be trusted: the caller must assume HALTED."""

    why: str


StateRead: TypeAlias = Loaded | Missing | Unreadable


class StateFile:
    """One named file in the data directory. Saving raises OSError when the disk refuses; the old content then still stands."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._path = directory / name

    @property
    def path(self) -> Path:
        return self._path

    def load(self) -> StateRead:
        """Read the whole file."""
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return Missing()
        except OSError as error:
            return Unreadable(f"{self._path.name}: {error}")
        if len(raw) > _SIZE_MAX:
            return Unreadable(f"{self._path.name}: {len(raw)} bytes is no state of ours")
        try:
            value = json.loads(raw)
        except ValueError as error:
            return Unreadable(f"{self._path.name}: {error}")
        return Loaded(value) if isinstance(value, dict) else Unreadable(f"{self._path.name}: not an object")

    def save(self, value: dict[str, Any]) -> None:
        """Replace the file atomically and durably."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".tmp")
        data = json.dumps(value, sort_keys=True, indent=1).encode()
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            written = 0
            while written < len(data):
                written += os.write(descriptor, data[written:])
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(self._path)
        self._sync_directory()

    def _sync_directory(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
