"""Read-only view of what the SMC engine saw, bar by bar, for pictures. Nothing in the engine knows of it or pays for it.

A watch looks at the structure after each 4h bar and tells what that bar made known. Everything is told in real prices (not
oriented) and with the close of the bar at which it became known, so a picture can hide what was known later.
"""

from __future__ import annotations

from dataclasses import dataclass

from trading_system.domain.market import Timeframe
from trading_system.strategy.structure import Break, BreakKind, Side, Structure
from trading_system.strategy.zones import Zone, ZoneKind


@dataclass(frozen=True, slots=True)
class SeenSwing:
    """A pivot that the bar confirmed. `open_ms` is of the pivot's own bar, k bars before."""

    is_high: bool
    open_ms: int
    price: float


@dataclass(frozen=True, slots=True)
class SeenZone:
    """An order block or gap of a leg. `open_ms` is of the bar it hangs on; `mitigated_ms` as it stands now."""

    zone_id: str
    kind: ZoneKind
    open_ms: int
    low: float
    high: float
    known_ms: int
    mitigated_ms: int | None


@dataclass(frozen=True, slots=True)
class SeenBreak:
    """A valid break as it stands now. (sign, open_ms) names it; `low` and `high` are its dealing range."""

    sign: int
    open_ms: int
    kind: BreakKind
    protected: float
    """A close beyond it ends the break."""
    low: float
    high: float
    is_swept: bool
    zones: tuple[SeenZone, ...]


@dataclass(frozen=True, slots=True)
class SeenSweep:
    """The bar's wick beyond a swing; sign +1 = a low was swept (good for longs)."""

    sign: int
    swing_open_ms: int
    price: float


@dataclass(frozen=True, slots=True)
class BrokenSwing:
    """The swing that a new break refers to."""

    open_ms: int
    price: float


@dataclass(frozen=True, slots=True)
class SeenBar:
    """What one closed 4h bar made known. `broken` is set when the newest of `breaks` was made by this bar."""

    open_ms: int
    swings: tuple[SeenSwing, ...]
    sweeps: tuple[SeenSweep, ...]
    breaks: tuple[SeenBreak, ...]
    """All valid ones, oldest first; the last one rules."""
    broken: BrokenSwing | None


class StructureWatch:
    """Call `look` once after every 4h bar that the structure took."""

    def __init__(self, structure: Structure) -> None:
        self._structure = structure
        self._unbroken = {side.sign: _unbroken(side) for side in (structure.long, structure.short)}

    def look(self) -> SeenBar:
        """What the newest bar made known. O(swings held)."""
        structure = self._structure
        history = structure.history
        index = history.count - 1
        sides = (structure.long, structure.short)
        swings = tuple(swing for side in sides if (swing := self._new_swing(side)) is not None)
        sweeps = tuple(
            SeenSweep(side.sign, self._open_ms(side.sweep.swing_index), side.sign * side.sweep.swing_price)
            for side in sides
            if side.sweep.last_sweep_index == index and side.sweep.swing_index is not None
        )
        broken = None
        for side in sides:
            now = _unbroken(side)
            if side.breaks and side.breaks[-1].index == index:
                gone = {at: price for at, price in self._unbroken[side.sign].items() if at not in now}
                reference = max(gone)
                broken = BrokenSwing(self._open_ms(reference), side.sign * gone[reference])
            self._unbroken[side.sign] = now
        breaks = tuple(_seen_break(one) for side in sides for one in side.breaks)
        return SeenBar(history.open_ms[-1], swings, sweeps, breaks, broken)

    def _new_swing(self, side: Side) -> SeenSwing | None:
        confirmed = side.pivots.confirmed_index
        if not side.untaken.indices or side.untaken.indices[-1] != confirmed:
            return None
        return SeenSwing(side.sign > 0, self._open_ms(confirmed), side.sign * -side.untaken.falls[-1])

    def _open_ms(self, index: int) -> int:
        """Open time of an absolute 4h index; of the oldest bar that is held when it is older still."""
        history = self._structure.history
        return history.open_ms[max(index - history.first, 0)]


def _unbroken(side: Side) -> dict[int, float]:
    return dict(zip(side.unbroken.indices, side.unbroken.prices, strict=True))


def _seen_break(one: Break) -> SeenBreak:
    ends = (one.sign * one.protected_low, one.sign * one.range_high)
    return SeenBreak(
        one.sign,
        one.open_ms,
        one.kind,
        one.sign * one.protected_low,
        min(ends),
        max(ends),
        one.is_swept,
        tuple(_seen_zone(zone, one.sign) for zone in one.zones),
    )


def _seen_zone(zone: Zone, sign: int) -> SeenZone:
    # the id of a zone ends with the open time of its bar: kind, sign, ms
    open_ms = int(zone.zone_id[len(zone.kind) + 1 :])
    low, high = sorted((sign * zone.low, sign * zone.high))
    return SeenZone(zone.zone_id, zone.kind, open_ms, low, high, zone.known_ms, zone.mitigated_ms)


def closed_ms(seen: SeenBar) -> int:
    """When what a bar made known was known."""
    return seen.open_ms + Timeframe.H4.ms
