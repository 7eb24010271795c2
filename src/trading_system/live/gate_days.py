"""How often each gate stopped a market, per UTC day of market time; kept on disk so that it can be asked with the daemon down.

Each 15m bar of a market counts once, however often it is judged again (no usable quote, a restart).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from trading_system.data.atomic_file import write_whole
from trading_system.domain.signals import NoSignal, Signal
from trading_system.domain.symbols import Symbol

DAYS_KEPT: Final = 400
_VERSION: Final = 1


class GateDay(msgspec.Struct):
    """One day. gates: in the order of the ladder. stopped: gate → reason code → how often it was the one that failed."""

    judged: int = 0
    signals: int = 0
    gates: tuple[str, ...] = ()
    stopped: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)


class GateRow(msgspec.Struct, frozen=True):
    """reached: judgements that came as far as this gate; stopped: of those, how many ended there with this code."""

    gate: str
    reason: str
    stopped: int
    reached: int

    @property
    def share(self) -> float:
        """Of those that reached the gate."""
        return self.stopped / self.reached if self.reached else 0.0


class _Kept(msgspec.Struct):
    version: int
    days: dict[str, GateDay]
    judged_ms: dict[str, int]


class GateDays:
    """Owned by the loop."""

    def __init__(self, days: Mapping[str, GateDay] | None = None, judged_ms: Mapping[Symbol, int] | None = None) -> None:
        self.days: dict[str, GateDay] = dict(days or {})
        self._judged_ms: dict[Symbol, int] = dict(judged_ms or {})
        self.is_changed = False

    def note(self, decision: Signal | NoSignal, bar_close_ms: int, day: str) -> None:
        """Count one judgement of the 15m bar that closed at `bar_close_ms`; a bar that was counted already counts no more."""
        symbol = decision.symbol
        if bar_close_ms <= self._judged_ms.get(symbol, -1):
            return
        self._judged_ms[symbol] = bar_close_ms
        self.is_changed = True
        count = self.days.get(day)
        if count is None:
            count = self._begin(day)
        count.judged += 1
        if isinstance(decision, Signal):
            count.signals += 1
            return
        ladder = decision.ladder
        if len(ladder.gates) != len(count.gates):
            count.gates = tuple(gate.name for gate in ladder.gates)
        blocking, code = ladder.blocking, decision.reason_code
        name = "?" if blocking is None else blocking.name
        reasons = count.stopped.get(name)
        if reasons is None:
            reasons = count.stopped[name] = {}
        reasons[code] = reasons.get(code, 0) + 1

    def _begin(self, day: str) -> GateDay:
        count = self.days[day] = GateDay()
        for old in sorted(self.days)[:-DAYS_KEPT]:
            del self.days[old]
        return count

    def top(self, day: str) -> GateRow | None:
        """The reason that stopped most judgements of a day; None when nothing was stopped. For the daily summary."""
        count = self.days.get(day)
        return max(rows_of(count), key=lambda row: row.stopped, default=None) if count is not None else None

    def encoded(self) -> bytes:
        """What the file holds."""
        return msgspec.json.encode(_Kept(_VERSION, self.days, {str(s): at for s, at in self._judged_ms.items()}))

    @classmethod
    def decoded(cls, content: bytes) -> GateDays:
        """ValueError (msgspec's included) when it is no such file."""
        kept = msgspec.json.decode(content, type=_Kept)
        if kept.version != _VERSION:
            raise ValueError(f"version {kept.version}")
        return cls(kept.days, {Symbol(symbol): at for symbol, at in kept.judged_ms.items()})


def day_of(moment: datetime) -> str:
    """The UTC day of a market moment."""
    return moment.strftime("%Y-%m-%d")


def rows_of(day: GateDay) -> tuple[GateRow, ...]:
    """One row per gate and reason in the order of the ladder; gates that stopped nothing are left out."""
    rows, left = [], day.judged
    order = [*day.gates, *sorted(gate for gate in day.stopped if gate not in day.gates)]
    for gate in order:
        reasons = day.stopped.get(gate, {})
        rows += [GateRow(gate, code, count, left) for code, count in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))]
        left -= sum(reasons.values())
    return tuple(rows)


class GateFile:
    """The histogram on disk, written atomically. An unreadable file is no file: counting begins anew."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> GateDays:
        try:
            return GateDays.decoded(self._path.read_bytes())
        except (OSError, msgspec.MsgspecError, ValueError):
            return GateDays()

    def write(self, content: bytes) -> str | None:
        """Why not, when the disk refuses. Blocks: call it off the loop."""
        try:
            write_whole(self._path, content)
        except OSError as error:
            return f"{type(error).__name__}: {error}"
        return None
