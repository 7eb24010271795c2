"""What one tick did, for CYCLE_SUMMARY. Written even when a phase failed; what could not be computed is named."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

NOT_COMPUTED = "?"


@dataclass(slots=True)
class CycleReport:
    """Filled in by the phases of one tick. None = not known this cycle."""

    cycle: int
    started_s: float
    positions: int = 0
    universe: int = 0
    system_state: str = "DEGRADED"
    cooldowns_active: int = 0
    signals: int = 0
    fresh_signals: int = 0
    """Signals that could become an order: without repetitions within a cooldown."""
    entries: int = 0
    naked_s: float = 0.0
    equity: Decimal | None = None
    margin_util: Decimal | None = None
    budget_points: int | None = None
    failed_phases: list[str] = field(default_factory=list)
    gates: tuple[str, ...] = ()
    """Short names of what keeps entries off besides the mode."""
    portfolio: tuple[str, ...] = ()
    """One text per position that is held, for the log."""

    def fields(self, finished_s: float) -> dict[str, object]:
        """The stable `key=value` fields of the summary line, in order."""
        gated = {"entries_gated": ",".join(self.gates)} if self.gates else {}
        return {
            "cycle": self.cycle,
            "duration_ms": round((finished_s - self.started_s) * 1000),
            "positions": self.positions,
            "universe": self.universe,
            "system_state": self.system_state,
            "cooldowns_active": self.cooldowns_active,
            "signals": self.signals,
            "entries": self.entries,
            "naked_s": round(self.naked_s, 1),
            "equity": NOT_COMPUTED if self.equity is None else f"{self.equity:.2f}",
            "margin_util": NOT_COMPUTED if self.margin_util is None else f"{self.margin_util:.2f}",
            "budget": NOT_COMPUTED if self.budget_points is None else self.budget_points,
            **gated,
        }

    @property
    def not_computed(self) -> tuple[str, ...]:
        """Names of the summary fields that are unknown this cycle."""
        unknown = {"equity": self.equity, "margin_util": self.margin_util, "budget": self.budget_points}
        return tuple(name for name, value in unknown.items() if value is None)
