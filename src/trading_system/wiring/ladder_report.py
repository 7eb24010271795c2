"""Why a market gave no signal: its last gate ladder, how near the markets are to one, and which gates stop them day by day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from trading_system.domain.signals import GateState, NoSignal, Signal
from trading_system.domain.units import from_ms
from trading_system.live.gate_days import GateDay, GateFile, rows_of
from trading_system.live.gate_days import GateRow as GateCount
from trading_system.wiring.data_files import GATE_DAYS_FILE


@dataclass(frozen=True, slots=True)
class GateRow:
    """distance: how far from passing, in the unit of `actual`."""

    name: str
    state: str
    required: str
    actual: float | str | None
    distance: float | None


@dataclass(frozen=True, slots=True)
class LadderRow:
    """One market's last judgement. outcome: `SIGNAL` or the reason code; blocking: the gate that failed."""

    symbol: str
    judged_at: datetime
    price: float | None
    outcome: str
    passed: int
    gates_count: int
    blocking: GateRow | None
    gates: tuple[GateRow, ...]


def report_ladder(decision: Signal | NoSignal) -> LadderRow:
    """The ladder of one decision, every gate in order."""
    ladder = decision.ladder
    gates = tuple(GateRow(gate.name, gate.state.value, gate.required, gate.actual, gate.distance) for gate in ladder.gates)
    return LadderRow(
        symbol=decision.symbol,
        judged_at=from_ms(decision.at_ms),
        price=ladder.price,
        outcome="SIGNAL" if isinstance(decision, Signal) else decision.reason_code,
        passed=ladder.passed_count,
        gates_count=len(gates),
        blocking=next((gate for gate in gates if gate.state == GateState.FAILED.value), None),
        gates=gates,
    )


def by_nearness(decisions: Iterable[Signal | NoSignal]) -> tuple[LadderRow, ...]:
    """Nearest to a signal first: most gates passed, then the least distance at the gate that stopped it."""
    return tuple(sorted((report_ladder(decision) for decision in decisions), key=_remoteness))


def _remoteness(row: LadderRow) -> tuple[int, float, str]:
    distance = None if row.blocking is None else row.blocking.distance
    # distances compare within one gate only, which is where equal counts of passed gates stand
    far = 0.0 if row.blocking is None else float("inf") if distance is None else abs(distance)
    return -row.passed, far, row.symbol


def read_gate_days(data_dir: Path, count: int) -> dict[str, Any]:
    """The newest `count` days of the daemon's histogram, newest first; with or without a daemon running."""
    kept = GateFile(data_dir / GATE_DAYS_FILE).load()
    return {"days": [_day_facts(name, kept.days[name], kept.top(name)) for name in sorted(kept.days, reverse=True)[:count]]}


def _day_facts(name: str, day: GateDay, top: GateCount | None) -> dict[str, Any]:
    def facts(row: GateCount) -> dict[str, Any]:
        counts = {"gate": row.gate, "reason": row.reason, "stopped": row.stopped, "reached": row.reached}
        return {**counts, "share": row.share, "of_all": row.stopped / day.judged}

    rows = [facts(row) for row in rows_of(day)]
    return {"day": name, "judged": day.judged, "signals": day.signals, "top": None if top is None else facts(top), "gates": rows}
