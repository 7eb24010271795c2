"""What a strategy says: a Signal, or a NoSignal, each with the full ladder of gates that led there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple, Protocol, TypeAlias

from trading_system.domain.orders import Direction
from trading_system.domain.symbols import Symbol


class Regime(Enum):
    """How the setup was formed; decides take-profit split, costs and pauses."""

    TIGHT_SMC = "tight_smc"
    WIDE_STRUCTURE = "wide_structure"
    CONSOLIDATION = "consolidation"


class GateState(Enum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_REACHED = "not_reached"


_FAILED: Final = GateState.FAILED
"""A member looked up on its class runs Python code, and this is asked at every judgement."""


class GateResult(NamedTuple):
    """One rung. `required` is written for people ("r in 0.618..0.786"); `distance` is how far from passing, in the unit of `actual`.

    A NamedTuple, not a dataclass: every judgement makes several.
    """

    name: str
    state: GateState
    required: str
    actual: float | str | None
    distance: float | None
    reason_code: str | None = None


class Ladder(NamedTuple):
    """Every gate in order. Pure facts at `at_ms` (close of the bar that was judged)."""

    symbol: Symbol
    at_ms: int
    price: float | None
    gates: tuple[GateResult, ...]

    @property
    def blocking(self) -> GateResult | None:
        """The gate that failed, or None when all passed."""
        for gate in self.gates:
            if gate.state is _FAILED:
                return gate
        return None

    def facts(self) -> dict[str, object]:
        """By name, gates too: a tuple that is encoded as it is would be a row of bare values."""
        return {**self._asdict(), "gates": [gate._asdict() for gate in self.gates]}

    @property
    def passed_count(self) -> int:
        return sum(gate.state is GateState.PASSED for gate in self.gates)


@dataclass(frozen=True, slots=True)
class Signal:
    """A setup that passed every gate. Levels are float: they become Decimal only at the order boundary."""

    symbol: Symbol
    at_ms: int
    direction: Direction
    regime: Regime
    entry_price: float
    stop_price: float
    target_price: float
    score: float
    reward_risk: float
    atr_15m: float
    atr_4h: float
    cost_bps: float
    setup: str
    """Short label of the setup for people and for the cluster fallback, e.g. `ob+fvg bos`."""
    ladder: Ladder
    zone_ids: tuple[str, ...] = ()
    """Names of the entry zones the signal came from; a strategy that uses a zone once recognises it by them after a restart."""
    premise_price: float | None = None
    """A 4h close beyond it (on the losing side) says that the reason for the entry is gone; None = the strategy names none."""


class NoSignal(NamedTuple):
    """Nothing to do, and why. A NamedTuple, not a dataclass: one at every judgement."""

    symbol: Symbol
    at_ms: int
    reason_code: str
    ladder: Ladder


Decision: TypeAlias = Signal | NoSignal


class Emitted(Protocol):
    """What must be remembered of a signal that was acted on: a Signal, or what the journal kept of one."""

    @property
    def symbol(self) -> Symbol: ...
    @property
    def at_ms(self) -> int: ...
    @property
    def zone_ids(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Emission:
    """An emitted signal as read back from the journal."""

    symbol: Symbol
    at_ms: int
    zone_ids: tuple[str, ...]
