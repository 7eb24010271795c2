"""The coherence proof: all limits checked against each other, printed with numbers and slack. Pure.

`prove(settings).holds` must be true before anything starts; the counter-examples say in words what would happen otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from trading_system.config.proof_rules import rules
from trading_system.config.proof_sizes import (
    EQUITIES,
    TIERS,
    SizeCell,
    binding_ranges,
    cap_at,
    planned_leverage_max,
    scan_sizes,
    stress_multiple,
)
from trading_system.config.proof_terms import Check, check, shown
from trading_system.config.settings import Settings


@dataclass(frozen=True, slots=True)
class Gate:
    """A post-trade invariant, the pre-trade gate inside it, and the measure both use."""

    invariant: str
    gate: str
    measure: str


@dataclass(frozen=True, slots=True)
class Inert:
    """A limit that another makes unreachable."""

    limit: str
    because: str


@dataclass(frozen=True, slots=True)
class Proof:
    checks: tuple[Check, ...]
    gates: tuple[Gate, ...]
    inert: tuple[Inert, ...]
    cells: tuple[SizeCell, ...]
    book: tuple[str, ...]
    """What the whole book can reach, in words."""

    @property
    def holds(self) -> bool:
        return all(check.holds for check in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if not check.holds)

    @property
    def dead_cells(self) -> tuple[SizeCell, ...]:
        return tuple(cell for cell in self.cells if cell.is_dead)


GATES: Final = (
    Gate(
        "safety.margin_utilization_halt",
        "risk.planned_utilization_max",
        "margin / equity; planned leverage never exceeds what the venue grants, so planned utilisation is never below the venue's",
    ),
    Gate("safety.positions_halt", "auction.positions_max", "symbols with a position or an entry that may become one"),
    Gate("safety.open_notional_usd_halt", "risk.open_notional_usd_max", "sum of notionals at mark, USD, long and short added"),
    Gate(
        "safety.single_position_multiple x risk.single_position",
        "risk.single_position",
        "risk.exposure_basis of one position / equity",
    ),
    Gate("safety.drawdown_halt", "risk.weekly_loss_limit, safety.drawdown_degraded", "loss / equity, realised and unrealised at mark"),
)


def prove(settings: Settings) -> Proof:
    """Check everything against everything."""
    return Proof(
        checks=tuple(check(rule, settings) for rule in rules(settings)),
        gates=GATES,
        inert=tuple(_inert(settings)),
        cells=scan_sizes(settings),
        book=tuple(_book(settings)),
    )


def _inert(settings: Settings) -> Iterator[Inert]:
    risk, execution = settings.risk, settings.execution
    if risk.exposure_basis == "margin" and risk.aggregate > risk.planned_utilization_max:
        yield Inert(
            f"risk.aggregate {shown(risk.aggregate)}",
            f"on the margin basis risk.planned_utilization_max {shown(risk.planned_utilization_max)} stops first",
        )
    for tier in TIERS:
        allowed = getattr(risk.tiers, tier.lower()).max_leverage
        if allowed > risk.max_leverage:
            yield Inert(
                f"risk.tiers.{tier.lower()}.max_leverage {shown(allowed)}", f"risk.max_leverage {shown(risk.max_leverage)} is lower"
            )
    widest = max(risk.tiers.a.slippage_max, risk.tiers.b.slippage_max, risk.tiers.c.slippage_max) * 10_000
    if execution.slippage_bps_max is not None and execution.slippage_bps_max >= widest:
        yield Inert(f"execution.slippage_bps_max {shown(execution.slippage_bps_max)}", f"the widest tier allows {shown(widest)} bps")
    if execution.signal_spread_max >= execution.spread_max:
        yield Inert(
            f"execution.signal_spread_max {shown(execution.signal_spread_max)}",
            f"it only names the reason earlier: execution.spread_max {shown(execution.spread_max)} refuses all it refuses",
        )
    if risk.reward_risk_min_tight <= settings.strategy.reward_risk_min_tight:
        yield Inert(f"risk.reward_risk_min_tight {shown(risk.reward_risk_min_tight)}", "the engine asks for as much before it signals")
    yield from _inert_caps(settings)


def _inert_caps(settings: Settings) -> Iterator[Inert]:
    risk = settings.risk
    largest = max(risk.tiers.a.notional_usd_max, risk.tiers.b.notional_usd_max, risk.tiers.c.notional_usd_max)
    if largest * settings.auction.positions_max <= risk.open_notional_usd_max:
        yield Inert(
            f"risk.open_notional_usd_max {shown(risk.open_notional_usd_max)}",
            f"{settings.auction.positions_max} positions of {shown(largest)} USD do not reach it",
        )
    if risk.opens_per_day_max >= 24 * risk.opens_per_hour_max:
        yield Inert(f"risk.opens_per_day_max {risk.opens_per_day_max}", "the hourly limit stops first")
    single = risk.single_position * (1 if risk.exposure_basis == "notional" else min(planned_leverage_max(settings, t) for t in TIERS))
    if risk.position_notional is not None and all(cap_at(risk.position_notional, e) <= single * e for e in EQUITIES):
        yield Inert(f"risk.single_position {shown(risk.single_position)}", "risk.position_notional is smaller at every scanned equity")


def _book(settings: Settings) -> Iterator[str]:
    risk = settings.risk
    at_full_risk = risk.max_open_risk // risk.risk_per_trade
    if at_full_risk < settings.auction.positions_max:
        yield (
            f"risk.max_open_risk holds {at_full_risk} positions at full risk; more, up to auction.positions_max "
            f"{settings.auction.positions_max}, only when stops reach break-even or other limits made positions smaller"
        )
    for tier in TIERS:
        leverage = planned_leverage_max(settings, tier)
        bounds = [
            (risk.planned_utilization_max * leverage, "risk.planned_utilization_max"),
            (stress_multiple(settings, leverage), "risk.stress_shocks"),
        ]
        if risk.total_notional is not None:
            bounds.append((cap_at(risk.total_notional, EQUITIES[-1]) / EQUITIES[-1], "risk.total_notional"))
        multiple, first = min(bounds)
        yield f"tier {tier}: a one-sided book stops at {shown(round(multiple, 2))} x equity by {first}"


def render_proof(proof: Proof) -> str:
    """The proof as text: failures with counter-examples first, then everything with slack."""
    lines: list[str] = []
    for failed in proof.failures:
        lines += [f"REFUSED  {failed.name}", f"         {failed.formula}", f"         {failed.counter_example}", ""]
    lines.append("Inequalities")
    lines += [f"  {'ok  ' if c.holds else 'FAIL'} {c.name}: {c.formula}  (slack {shown(c.slack)})" for c in proof.checks]
    lines += ["", "Every invariant and the gate inside it"]
    lines += [f"  {gate.invariant}  <-  {gate.gate}  [{gate.measure}]" for gate in proof.gates]
    lines += ["", "Limits that another makes unreachable"]
    lines += [f"  INERT {item.limit}: {item.because}" for item in proof.inert] or ["  none"]
    lines += ["", "Which limit binds one trade (empty book; the venue's steps and margin schedule not counted)"]
    for equity, tier, binding, low, high in binding_ranges(proof.cells):
        lines.append(f"  equity {shown(equity):>5} USD  tier {tier}  stop {shown(low * 100)}-{shown(high * 100)} %: {binding}")
    lines += ["", "The whole book"]
    lines += [f"  {text}" for text in proof.book]
    lines += ["", "Dead zone (every size is refused)"]
    lines += [
        f"  equity {shown(c.equity)} USD tier {c.tier} stop {shown(c.stop * 100)} %: {c.binding} allows "
        f"{shown(round(c.notional, 2))} USD, the minimum is {shown(round(c.minimum, 2))} USD"
        for c in proof.dead_cells
    ] or ["  none"]
    count = len(proof.checks)
    lines += ["", f"PROVED: {count} inequalities hold" if proof.holds else f"REFUSED: {len(proof.failures)} of {count} inequalities fail"]
    return "\n".join(lines)
