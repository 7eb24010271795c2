"""The health book on disk: a restart neither hammers a dead market nor forgets when it was last probed.

Written atomically and only when something changed. An unreadable file is no file: everybody starts healthy.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from trading_system.data.atomic_file import write_whole
from trading_system.data.data_health import HealthBook, HealthParameters


class HealthFile:
    """Owned by the candle manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written: bytes | None = None

    def load(self, parameters: HealthParameters) -> HealthBook:
        """The book as it was saved, or an empty one."""
        try:
            raw = msgspec.json.decode(self._path.read_bytes(), type=dict[str, dict[str, object]])
            return HealthBook.restored(raw, parameters)
        except (OSError, msgspec.MsgspecError, ValueError):
            return HealthBook(parameters)

    def save(self, book: HealthBook) -> str | None:
        """Write the book if it changed; why not, when the disk refuses. Blocks: call it off the loop."""
        content = msgspec.json.encode(book.snapshot())
        if content == self._written or (self._written is None and content == b"{}" and not self._path.exists()):
            return None
        try:
            write_whole(self._path, content)
        except OSError as error:
            return f"{type(error).__name__}: {error}"
        self._written = content
        return None
