"""Price zones of a leg, their life, and which of them an entry may use. Oriented prices: a zone is bought from above.

A zone is unmitigated until a wick reaches its midpoint, and live while it is unmitigated and no signal came from it.
Its state is read as of a moment, because the bar that touches a zone may close together with the 4h bar that mitigates it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

ZoneKind = Literal["ob", "fvg"]


class Zone(msgspec.Struct):
    """One order block or fair value gap of one leg."""

    kind: ZoneKind
    zone_id: str
    """Same bar, same direction, same id: a gap that belongs to two legs is still used only once."""
    low: float
    high: float
    known_ms: int
    """Close of the bar that confirmed it."""
    mitigated_ms: int | None = None
    """Close of the bar whose wick reached the midpoint."""

    @property
    def midpoint(self) -> float:
        return (self.low + self.high) / 2.0


class EntryZone(NamedTuple):
    """Where an entry is wanted, and the level beyond which its premise is gone."""

    low: float
    high: float
    invalidation: float
    zone_ids: tuple[str, ...]


def zone_id(kind: str, sign: int, open_ms: int) -> str:
    """Name of a zone: its kind, its direction and the bar it hangs on."""
    return f"{kind}{'+' if sign > 0 else '-'}{open_ms}"


def mitigate(zones: Iterable[Zone], low: float, closed_ms: int) -> None:
    """Feed the low of one closed 4h bar to zones that were known before it."""
    for zone in zones:
        if zone.mitigated_ms is None and low <= zone.midpoint:
            zone.mitigated_ms = closed_ms


def unmitigated_zones(zones: Iterable[Zone], as_of_ms: int) -> list[Zone]:
    """Those that were known and not yet mitigated by the bars that were closed at `as_of_ms`."""
    return [zone for zone in zones if zone.known_ms <= as_of_ms and (zone.mitigated_ms is None or zone.mitigated_ms > as_of_ms)]


def is_used(zone_id: str, used: Mapping[str, int], at_ms: int) -> bool:
    """True when a signal of a bar that closed before `at_ms` came from it. The bar's own signal does not count:
    asking twice about one bar must give the same answer."""
    return used.get(zone_id, at_ms) < at_ms


def select_entry_zone(live: Sequence[Zone], price: float, tolerance: float) -> EntryZone | None:
    """The zone an entry may use, or None.

    Order block and gap that overlap: their intersection (with several gaps the one with the highest top), invalid beyond
    the block. Else the zone with the highest top among those whose low is not above the price by more than the tolerance.
    """
    block = next((zone for zone in live if zone.kind == "ob"), None)
    if block is not None:
        overlapping = [zone for zone in live if zone.kind == "fvg" and zone.low < block.high and zone.high > block.low]
        if overlapping:
            gap = max(overlapping, key=lambda zone: zone.high)
            return EntryZone(max(block.low, gap.low), min(block.high, gap.high), block.low, (block.zone_id, gap.zone_id))
    reachable = [zone for zone in live if zone.low - tolerance <= price]
    if not reachable:
        return None
    best = max(reachable, key=lambda zone: zone.high)
    return EntryZone(best.low, best.high, best.low, (best.zone_id,))


class Touch(NamedTuple):
    """How the touching bar met the zone."""

    is_touched: bool
    is_tolerance_only: bool
    gap: float
    """Price units from the bar's low to the tolerated zone, 0 when it is inside."""


def classify_touch(open_: float, low: float, close: float, zone: EntryZone, tolerance: float) -> Touch:
    """Judge one closed 15m bar: its low within the tolerated zone, and a close that rises and holds the zone."""
    top, bottom = zone.high + tolerance, zone.low - tolerance
    is_inside = bottom <= low <= top
    gap = 0.0 if is_inside else (low - top if low > top else bottom - low)
    return Touch(is_inside and close > open_ and close >= zone.low, is_inside and low > zone.high, gap)
