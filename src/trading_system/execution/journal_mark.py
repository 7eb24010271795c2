"""A witness beside the journal: the newest record that is known to have been durable.

A journal's chain proves that nothing in it was changed, not that nothing is missing at its end: an older copy that was put back, or
a file whose -wal was lost, is a whole chain too. The mark says how far it reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trading_system.domain.protocols import JournalMedium
from trading_system.execution.journal import Journal
from trading_system.safety.state_file import Loaded, Missing, StateFile

MARK_FILE: Final = "journal_mark.json"


@dataclass(frozen=True, slots=True)
class Mark:
    """seq, chain: the newest durable record and its chain hash (hex); epoch: the session that wrote it."""

    seq: int
    chain: str
    epoch: int


def mark_of(journal: Journal) -> Mark:
    return Mark(journal.durable_seq, journal.durable_chain.hex(), journal.epoch)


class MarkFile:
    """The mark on the disk. Blocks for a few fsyncs: save it off the loop."""

    def __init__(self, directory: Path) -> None:
        self._file = StateFile(directory, MARK_FILE)

    def save(self, mark: Mark) -> None:
        """OSError when the disk refuses; the old mark then still stands."""
        self._file.save({"seq": mark.seq, "chain": mark.chain, "epoch": mark.epoch})

    def load(self) -> Mark | str | None:
        """The mark, None when there never was one, or why it cannot be read."""
        read = self._file.load()
        if isinstance(read, Missing):
            return None
        if not isinstance(read, Loaded):
            return read.why
        seq, chain, epoch = (read.value.get(name) for name in ("seq", "chain", "epoch"))
        if not isinstance(seq, int) or not isinstance(chain, str) or not isinstance(epoch, int):
            return f"{MARK_FILE}: not a mark"
        return Mark(seq, chain, epoch)


def judge_mark(mark: Mark | str | None, journal: Journal, medium: JournalMedium) -> str | None:
    """None when the journal reaches as far as the mark says and agrees with it, else what is wrong, for a human."""
    if mark is None:
        return None
    if isinstance(mark, str):
        return f"how far the journal reached is not known: {mark}"
    compacted = journal.state.compacted
    if mark.seq == 0 or (compacted is not None and mark.seq <= compacted.archived_seq):
        return None
    # asked of the medium, not of `journal`: the daemon may have gone on since a looker read it
    found = next(iter(medium.read(mark.seq)), None)
    if found is None:
        return (
            f"the journal ends with record {journal.seq} and had reached record {mark.seq} in session {mark.epoch}: "
            "an older copy was put back, or its -wal was lost"
        )
    if found[2].hex() != mark.chain:
        return f"record {mark.seq} of the journal is not the one that was written in session {mark.epoch}: another journal was put here"
    return None
