"""What positions and open orders tie up. Pure. Margin is a rate of the entry value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from trading_system.domain.market import MarginLevel
from trading_system.sim.margin_schedule import rate_for
from trading_system.sim.position import booked
from trading_system.sim.variants import MarginRule


@dataclass(frozen=True, slots=True)
class MarginTerms:
    """How one market's positions are charged: its levels, and the fixed leverage when it is isolated."""

    levels: tuple[MarginLevel, ...]
    rule: MarginRule = MarginRule.WHOLE
    leverage: Decimal | None = None

    def initial(self, notional: Decimal) -> Decimal:
        """Of a position of `notional` USD (unsigned)."""
        scheduled = self._charge(notional, lambda level: level.initial)
        return scheduled if self.leverage is None else max(scheduled, booked(notional / self.leverage))

    def maintenance(self, notional: Decimal) -> Decimal:
        """Of a position of `notional` USD (unsigned)."""
        return self._charge(notional, lambda level: level.maintenance)

    def with_orders(self, cost: Decimal, buys: Decimal, sells: Decimal) -> Decimal:
        """Initial margin of the worst case: nothing, all buys, or all sells of the open orders execute.

        cost: signed entry value of the position. buys, sells: USD of open orders that are not reduce-only, at their limits.
        """
        return self.initial(max(abs(cost), abs(cost + buys), abs(cost - sells)))

    def allows(self, leverage: Decimal, notional: Decimal) -> bool:
        """May a position of `notional` be held at this fixed leverage?"""
        return leverage * rate_for(self.levels, notional).initial <= 1

    def _charge(self, notional: Decimal, rate: Callable[[MarginLevel], Decimal]) -> Decimal:
        if self.rule is MarginRule.WHOLE:
            return notional * rate(rate_for(self.levels, notional))
        total, ends = Decimal(0), [level.notional_from for level in self.levels[1:]]
        for level, end in zip(self.levels, [*ends, max(notional, self.levels[-1].notional_from)], strict=True):
            total += max(Decimal(0), min(notional, end) - level.notional_from) * rate(level)
        return total


def liquidation_mark(size: Decimal, mark: Decimal, equity: Decimal, maintenance: Decimal) -> Decimal | None:
    """The mark at which equity meets total maintenance when only this market moves; None when no positive price does."""
    price = mark - (equity - maintenance) / size
    return price if price > 0 else None
