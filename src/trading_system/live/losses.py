"""Feeds the loss limits and the pauses: equity readings, account flows and closed trades in, standing and streaks out.

The trap it avoids: limits on loss that nothing ever fed. State is kept in the journal and survives a restart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol

from trading_system.domain.account import AccountFlow, AccountSnapshot
from trading_system.domain.events import StateNoted
from trading_system.domain.positions import Position
from trading_system.risk.limits import RiskLimits
from trading_system.risk.loss_limits import accept_step, apply_flow, is_usable, observe, rebase_high_water, standing_of
from trading_system.risk.loss_state import (
    EquityReading,
    LossEvent,
    LossStanding,
    LossState,
    decode_loss_state,
    encode_loss_state,
)
from trading_system.risk.streaks import StreakState, TradeResult, record_trade

LOSS_STATE_KEY: Final = "loss_state"


class Recording(Protocol):
    """The journal, as far as small states are concerned."""

    @property
    def state(self) -> Notes: ...

    def record(self, event: StateNoted, *, durable: bool = ...) -> bool: ...


class Notes(Protocol):
    @property
    def notes(self) -> Mapping[str, str]: ...


class LossBook:
    """Owned by the loop. `standing` None until the first usable reading."""

    def __init__(self, limits: RiskLimits, journal: Recording) -> None:
        self._limits = limits
        self._journal = journal
        self._state: LossState | None = None
        self._saved = ""
        self.standing: LossStanding | None = None
        self.streaks = StreakState()
        self.problem: str | None = None
        """Why the stored state could not be read; degrades until a human resumes."""

    def load(self, closed: Iterable[Position]) -> None:
        """Read the stored state and rebuild the pauses from closed trades (oldest first)."""
        text = self._journal.state.notes.get(LOSS_STATE_KEY)
        if text is not None:
            try:
                self._state = decode_loss_state(text)
            except ValueError as error:
                self.problem = str(error)
        for position in closed:
            self.note_closed(position)

    def note_closed(self, position: Position) -> None:
        """Count a closed trade towards the pauses."""
        closure, plan = position.closure, position.plan
        if closure is None or plan.regime is None or plan.equity <= 0:
            return
        result = TradeResult(position.symbol, plan.regime, closure.at, position.net, plan.equity)
        self.streaks = record_trade(self.streaks, result, self._limits.streaks)

    def note_flows(self, flows: Iterable[AccountFlow]) -> None:
        """Shift the day, the week and the high-water mark by money that moved without trading. Told twice, it counts once."""
        if self._state is not None:
            for flow in flows:
                self._state = apply_flow(self._state, flow)

    def observe(self, snapshot: AccountSnapshot, booked_pnl: Decimal, now: datetime) -> tuple[LossEvent, ...]:
        """Fold one account reading in; returns what changed with it."""
        reading = EquityReading(snapshot.at, snapshot.portfolio_value, snapshot.balance_value, booked_pnl)
        observation = observe(self._state, reading, self._limits.losses)
        if observation is None:
            return (LossEvent.READING_UNUSABLE,)
        self._state, self.standing = observation.state, observation.standing
        self._save(now, is_important=bool(observation.events))
        return observation.events

    def rebase_high_water(self, snapshot: AccountSnapshot, booked_pnl: Decimal, now: datetime) -> bool:
        """A human accepted the drawdown: it is counted from this reading on. False when there is nothing to rebase or to rebase on."""
        reading = EquityReading(snapshot.at, snapshot.portfolio_value, snapshot.balance_value, booked_pnl)
        if self._state is None or not is_usable(reading):
            return False
        self._state = rebase_high_water(self._state, reading)
        self.standing = standing_of(self._state, snapshot.portfolio_value, self._limits.losses)
        self._save(now, is_important=True)
        return True

    def accept_step(self, *, as_external_flow: bool, now: datetime) -> bool:
        """A human explained the unexplained balance step: money moved in or out, or it was profit and loss. False when there is none."""
        if self._state is None or self.standing is None or self._state.step == 0:
            return False
        self._state = accept_step(self._state, as_external_flow=as_external_flow)
        self.standing = standing_of(self._state, self.standing.equity, self._limits.losses)
        self._save(now, is_important=True)
        return True

    @property
    def is_tracking(self) -> bool:
        return self._state is not None

    def _save(self, now: datetime, *, is_important: bool) -> None:
        """Stops and new days are durable at once; a moved high-water mark rides along with the next durable record."""
        assert self._state is not None
        key = _save_key(self._state)
        if is_important or key != self._saved:
            self._saved = key
            self._journal.record(StateNoted(now, LOSS_STATE_KEY, encode_loss_state(self._state)), durable=is_important)


def _save_key(state: LossState) -> str:
    """Changes when something that must survive changed; the time of the last reading alone does not count."""
    mark = state.high_water
    # the mark is saved in steps of 0.1 % so that a rising account does not write at every reading
    rounded = f"{mark.equity:.3E}"
    flows = (state.flow_ids[-1:], len(state.flows_ahead), state.absorbed)
    return repr((state.days[-1].start, state.weeks[-1].start, rounded, flows, state.step, state.is_drawdown_degraded))
