"""Per-symbol health of the candle feed: whom to ask this cycle, and whether enough of the universe has data. Pure.

HEALTHY → DEGRADED after 3 failures in a row (asked 1 cycle in 4) → SUSPENDED once it failed for 6 h (a probe every
30 min) → HEALTHY after 3 successes in a row. A success leaves SUSPENDED for DEGRADED at once, so that the way back
takes a few cycles and not hours. The book is persisted by its `snapshot`, so a restart does not hammer a dead market.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import Enum
from typing import Final

from trading_system.domain.symbols import Symbol

_HOUR_MS: Final = 3_600_000


class HealthState(Enum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class HealthParameters:
    failures_to_degrade: int = 3
    successes_to_heal: int = 3
    degraded_cycles: int = 4
    """While DEGRADED a symbol is asked in one cycle of so many."""
    suspend_after_ms: int = 6 * _HOUR_MS
    """Market milliseconds since the first of an unbroken run of failures."""
    probe_every_ms: int = _HOUR_MS // 2


@dataclass(frozen=True, slots=True)
class SymbolHealth:
    """`failing_since_ms` is the market time of the first failure of the current run; None while the last call worked."""

    state: HealthState = HealthState.HEALTHY
    failures: int = 0
    successes: int = 0
    failing_since_ms: int | None = None
    last_attempt_ms: int | None = None
    cycles_waited: int = 0
    failures_total: int = 0


def after_failure(health: SymbolHealth, at_ms: int, parameters: HealthParameters) -> SymbolHealth:
    """The health after one failed cycle."""
    since = at_ms if health.failing_since_ms is None else min(health.failing_since_ms, at_ms)
    failures = health.failures + 1
    state = health.state
    if state is HealthState.HEALTHY and failures >= parameters.failures_to_degrade:
        state = HealthState.DEGRADED
    if state is HealthState.DEGRADED and at_ms - since >= parameters.suspend_after_ms:
        state = HealthState.SUSPENDED
    return SymbolHealth(state, failures, 0, since, at_ms, 0, health.failures_total + 1)


def after_success(health: SymbolHealth, at_ms: int, parameters: HealthParameters) -> SymbolHealth:
    """The health after one cycle in which every read of the symbol worked."""
    successes = health.successes + 1
    healed = health.state is HealthState.HEALTHY or successes >= parameters.successes_to_heal
    state = HealthState.HEALTHY if healed else HealthState.DEGRADED
    return SymbolHealth(state, 0, 0 if healed else successes, None, at_ms, 0, health.failures_total)


def is_turn(health: SymbolHealth, now_ms: int, parameters: HealthParameters) -> bool:
    """True when the symbol may be asked in this cycle."""
    match health.state:
        case HealthState.HEALTHY:
            return True
        case HealthState.DEGRADED:
            return health.cycles_waited + 1 >= parameters.degraded_cycles
        case HealthState.SUSPENDED:
            last = health.last_attempt_ms
            # a clock that was stepped back must not silence the probe for ever
            return last is None or now_ms < last or now_ms - last >= parameters.probe_every_ms


@dataclass(slots=True)
class HealthBook:
    """Health of all symbols; one `turn` per symbol and cycle."""

    parameters: HealthParameters = field(default_factory=HealthParameters)
    _health: dict[Symbol, SymbolHealth] = field(default_factory=dict)

    def state(self, symbol: Symbol) -> HealthState:
        health = self._health.get(symbol)
        return health.state if health else HealthState.HEALTHY

    def is_healthy(self, symbol: Symbol) -> bool:
        return self.state(symbol) is HealthState.HEALTHY

    @property
    def is_spotless(self) -> bool:
        """True while nothing is remembered of any symbol: all are healthy, and every one may be asked."""
        return not self._health

    def of(self, symbol: Symbol) -> SymbolHealth:
        return self._health.get(symbol, SymbolHealth())

    def take_turn(self, symbol: Symbol, now_ms: int) -> bool:
        """True when `symbol` may be asked now; else its wait of one more cycle is counted."""
        health = self._health.get(symbol)
        if health is None or is_turn(health, now_ms, self.parameters):
            return True
        self._health[symbol] = replace(health, cycles_waited=health.cycles_waited + 1)
        return False

    def succeeded(self, symbol: Symbol, at_ms: int) -> None:
        health = self._health.get(symbol)
        if health is not None:  # never failed: nothing to remember
            self._health[symbol] = after_success(health, at_ms, self.parameters)

    def failed(self, symbol: Symbol, at_ms: int) -> None:
        self._health[symbol] = after_failure(self.of(symbol), at_ms, self.parameters)

    def unhealthy(self) -> Mapping[Symbol, SymbolHealth]:
        """Every symbol that is not HEALTHY."""
        return {s: h for s, h in sorted(self._health.items()) if h.state is not HealthState.HEALTHY}

    def keep_only(self, symbols: Iterable[Symbol]) -> None:
        """Forget symbols that are no longer managed."""
        wanted = frozenset(symbols)
        self._health = {s: h for s, h in self._health.items() if s in wanted}

    def snapshot(self) -> dict[str, dict[str, object]]:
        """Plain values for persisting; `HealthBook.restored` reads them back."""
        return {
            symbol: {
                "state": h.state.value,
                "failures": h.failures,
                "successes": h.successes,
                "failing_since_ms": h.failing_since_ms,
                "last_attempt_ms": h.last_attempt_ms,
                "failures_total": h.failures_total,
            }
            for symbol, h in sorted(self._health.items())
        }

    @classmethod
    def restored(cls, snapshot: Mapping[str, Mapping[str, object]], parameters: HealthParameters | None = None) -> HealthBook:
        """Rebuild from `snapshot`; ValueError when it is not one."""
        book = cls(parameters or HealthParameters())
        for symbol, row in snapshot.items():
            book._health[Symbol(symbol)] = SymbolHealth(
                HealthState(row.get("state")),
                _int(row.get("failures")) or 0,
                _int(row.get("successes")) or 0,
                _int(row.get("failing_since_ms")),
                _int(row.get("last_attempt_ms")),
                0,
                _int(row.get("failures_total")) or 0,
            )
        return book


def _int(value: object) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise ValueError(f"expected a whole number or nothing, was {value!r}")


@dataclass(frozen=True, slots=True)
class CoverageRule:
    """Entries pause for the whole universe when too few symbols have enough bars."""

    ready_count_max_needed: int = 30
    ready_fraction_min: Decimal = Decimal("0.6")
    ready_fraction_floor: Decimal = Decimal("0.25")


@dataclass(frozen=True, slots=True)
class Coverage:
    """`ready_min` is the smallest acceptable number of symbols with enough bars."""

    ready: int
    universe: int
    ready_min: int

    @property
    def is_enough(self) -> bool:
        return self.ready >= self.ready_min


def judge_coverage(ready: int, universe: int, rule: CoverageRule | None = None) -> Coverage:
    """Compare with max(min(30, ⌈0.6 of the universe⌉), ⌈0.25 of it⌉). An empty universe needs nothing and opens nothing."""
    rule = rule or CoverageRule()
    needed = min(rule.ready_count_max_needed, math.ceil(rule.ready_fraction_min * universe))
    return Coverage(ready, universe, max(needed, math.ceil(rule.ready_fraction_floor * universe)))
