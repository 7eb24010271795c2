"""Every inequality between limits, as a table. Each row says what would go wrong without it.

The trap it avoids: limits that are each sensible and together absurd. A margin halt below the auction's own budget once fired
the kill switch every time the auction did its work.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from trading_system.config.proof_sizes import EQUITIES, STOPS, TIERS, notional_multiple_max, size_cell
from trading_system.config.proof_terms import Relation, Rule, formula, key, number, plus, times
from trading_system.config.settings import Settings

LT, LE, EQ = Relation.BELOW, Relation.AT_MOST, Relation.EQUALS

_OPEN_RISK_SLIPPAGE: Final = formula(
    "slippage beyond the stops (largest book x risk.exit_slippage_bps)",
    lambda s: notional_multiple_max(s) * s.risk.exit_slippage_bps / 10_000,
)

MARGIN: Final = (
    Rule(
        "degraded margin within the auction budget",
        key("safety.margin_utilization_degraded"),
        LE,
        key("risk.planned_utilization_max"),
        "the auction stops at {right} and DEGRADED begins only at {left}: a drift from the budget towards the halt is never announced",
    ),
    Rule(
        "auction budget below the margin halt",
        key("risk.planned_utilization_max"),
        LT,
        key("safety.margin_utilization_halt"),
        "the auction may plan {left} of equity and the margin halt fires at {right}: filling the budget fires the kill switch",
    ),
    Rule("margin halt below 1", key("safety.margin_utilization_halt"), LT, number("1"), "a halt at {left} comes after liquidation"),
    Rule(
        "auto-recovery at or below degraded margin",
        key("safety.auto_recovery.utilization_max"),
        LE,
        key("safety.margin_utilization_degraded"),
        "a halt would clear itself at {left}, above the {right} at which entries are switched off: it would fire and clear in turns",
    ),
)

COUNTS: Final = (
    Rule(
        "auction positions below the degraded count",
        key("auction.positions_max"),
        LT,
        key("safety.positions_degraded"),
        "the auction opens up to {left} positions and DEGRADED begins above {right}: its own plan would switch entries off",
    ),
    Rule(
        "degraded count below the halt count",
        key("safety.positions_degraded"),
        LT,
        key("safety.positions_halt"),
        "DEGRADED at {left} positions and HALT at {right}: the halt comes without warning",
    ),
    Rule(
        "auction positions below the halt count",
        key("auction.positions_max"),
        LT,
        key("safety.positions_halt"),
        "the auction opens up to {left} positions and the halt fires above {right}: doing its work halts the system",
    ),
    Rule(
        "one cluster fits into the auction",
        key("auction.cluster_positions_max"),
        LE,
        key("auction.positions_max"),
        "{left} positions per cluster can never be reached with {right} in all",
    ),
    Rule(
        "opens per cycle within opens per hour",
        key("auction.opens_per_cycle_max"),
        LE,
        key("risk.opens_per_hour_max"),
        "one cycle may open {left} positions and one hour only {right}: the auction would plan what the gate refuses",
    ),
    Rule(
        "opens per hour within opens per day",
        key("risk.opens_per_hour_max"),
        LE,
        key("risk.opens_per_day_max"),
        "one hour may open {left} positions and one day only {right}",
    ),
    Rule(
        "opens per cycle within trades per cycle",
        key("auction.opens_per_cycle_max"),
        LE,
        key("auction.trades_per_cycle_max"),
        "{left} opens per cycle can never be reached with {right} trades per cycle",
    ),
)

EXPOSURE: Final = (
    Rule(
        "open notional gate below its halt",
        key("risk.open_notional_usd_max"),
        LT,
        key("safety.open_notional_usd_halt"),
        "the gate allows {left} USD and the halt fires above {right} USD: an allowed entry halts the system",
    ),
    Rule(
        "single-position gate below its invariant",
        key("risk.single_position"),
        LT,
        times(key("safety.single_position_multiple"), key("risk.single_position")),
        "the gate allows a position of {left} of equity and the invariant already violates at {right}: an allowed entry is a violation",
    ),
    Rule(
        "single position within the aggregate",
        key("risk.single_position"),
        LE,
        key("risk.aggregate"),
        "one position may be {left} of equity and all together only {right}",
    ),
    *(
        Rule(
            f"tier {tier.upper()} cap within open notional",
            key(f"risk.tiers.{tier}.notional_usd_max"),
            LE,
            key("risk.open_notional_usd_max"),
            "one position may be {left} USD and all together only {right} USD",
        )
        for tier in "abc"
    ),
    *(
        Rule(
            f"tier {tier.upper()} slippage within the venue's price guard",
            key(f"risk.tiers.{tier}.slippage_max"),
            LE,
            number("0.01", "the venue's price guard"),
            "a slippage cap of {left} can never be reached: the venue refuses beyond {right}",
        )
        for tier in "abc"
    ),
    *(
        Rule(
            f"tier {worse.upper()} is no freer than tier {better.upper()} ({name})",
            key(f"risk.tiers.{worse}.{name}"),
            LE,
            key(f"risk.tiers.{better}.{name}"),
            f"the less liquid tier {worse.upper()} would allow {{left}}, the more liquid tier {better.upper()} only {{right}}",
        )
        for better, worse in ("ab", "bc")
        for name in ("max_leverage", "notional_usd_max")
    ),
)

LOSSES: Final = (
    Rule(
        "risk per trade within open risk",
        times(key("risk.risk_per_trade"), key("risk.sizing.risk_ceiling_multiple")),
        LE,
        key("risk.max_open_risk"),
        "one trade may risk {left} of equity and all open trades together only {right}: every full-size trade would be cut",
    ),
    Rule(
        "open risk and slippage within the daily stop",
        plus(key("risk.max_open_risk"), _OPEN_RISK_SLIPPAGE),
        LE,
        key("risk.daily_loss_limit"),
        "if every stop is hit the account loses {left} of equity and the daily stop is {right}: it would be overrun before it can act",
    ),
    Rule(
        "daily stop within weekly",
        key("risk.daily_loss_limit"),
        LE,
        key("risk.weekly_loss_limit"),
        "one day may lose {left}, a week only {right}",
    ),
    Rule(
        "weekly stop within the drawdown halt",
        key("risk.weekly_loss_limit"),
        LE,
        key("safety.drawdown_halt"),
        "a week may lose {left} and the kill switch fires at a drawdown of {right}: the weekly stop never acts",
    ),
    Rule(
        "degraded drawdown below its halt",
        key("safety.drawdown_degraded"),
        LT,
        key("safety.drawdown_halt"),
        "DEGRADED at a drawdown of {left} and the kill switch at {right}: no step in between",
    ),
    Rule(
        "daily stop within degraded drawdown",
        key("risk.daily_loss_limit"),
        LE,
        key("safety.drawdown_degraded"),
        "one allowed bad day of {left} passes the drawdown of {right} that only a human can lift",
    ),
)

TIMES: Final = (
    Rule(
        "protection polls before the naked limit",
        key("system.protection_poll_s"),
        LT,
        key("safety.protection.naked_s_max"),
        "a poll every {left} s cannot keep a promise of {right} s",
    ),
    Rule(
        "naked limit before the hard close",
        key("safety.protection.naked_s_max"),
        LT,
        key("safety.protection.hard_close_s"),
        "a position would be closed after {right} s before the stop had its {left} s",
    ),
    Rule(
        "hard close within the start-up grace",
        key("safety.protection.hard_close_s"),
        LE,
        key("safety.protection.startup_grace_s"),
        "the grace of {right} s at a start ends before the {left} s any position is given",
    ),
    Rule(
        "start-up grace before auto-recovery",
        key("safety.protection.startup_grace_s"),
        LT,
        key("safety.auto_recovery.halt_age_s_min"),
        "a halt may clear itself after {right} s although positions may still be without a stop until {left} s after a start",
    ),
    Rule(
        "DEGRADED clears before auto-recovery",
        key("safety.degraded_clear_s"),
        LE,
        key("safety.auto_recovery.halt_age_s_min"),
        "a halt clears after {right} s, sooner than the {left} s a mere degradation takes",
    ),
    Rule(
        "an entry expires before its fate is judged",
        key("execution.process_before_s"),
        LT,
        key("execution.unknown_settle_s"),
        "an order may still be accepted {left} s after it was sent, but would be declared not placed after {right} s",
    ),
    Rule(
        "an order's fate is judged when the venue's lists have caught up",
        number("60", "longest lag of the lists"),
        LE,
        key("execution.unknown_settle_s"),
        "an order that is there may be missing in the lists for {left} s, but would be declared not placed after {right} s",
    ),
    Rule(
        "a stop of the daemon fits the unit",
        key("system.shutdown_s"),
        LT,
        number("90", "TimeoutStopSec"),
        "a shutdown of {left} s is killed by systemd after {right} s",
    ),
    Rule(
        "clock skew stops entries before it degrades",
        key("safety.clock_skew_s_entry_max"),
        LE,
        key("safety.clock_skew_s_degraded"),
        "entries pass up to a skew of {left} s although {right} s already degrades",
    ),
    Rule(
        "protective share of the rate budget",
        number("0.30", "least share"),
        LE,
        key("exchange.protective_budget_share"),
        "only {right} of the venue's points are kept for stops; in a flood of reads they need {left}",
    ),
    Rule(
        "the rest of the rate budget is not empty",
        key("exchange.protective_budget_share"),
        LT,
        number("1"),
        "nothing is left for reads and entries",
    ),
)

SIGNALS: Final = (
    Rule("OTE band", key("strategy.ote_low"), LT, key("strategy.ote_high"), "the band from {left} to {right} is empty"),
    Rule(
        "stops of the engine pass the gate",
        key("strategy.stop_distance_max"),
        LE,
        key("risk.stop_distance_max"),
        "the engine signals stops up to {left} away and the gate refuses beyond {right}",
    ),
    Rule(
        "rewards of the engine pass the gate",
        key("risk.reward_risk_min_tight"),
        LE,
        key("strategy.reward_risk_min_tight"),
        "the engine signals from {right} R and the gate refuses below {left} R",
    ),
    Rule(
        "first target before the second", key("multi_tp.tp1_r"), LT, key("multi_tp.tp2_r"), "TP1 at {left} R is not before TP2 at {right} R"
    ),
    *(
        Rule(
            f"{regime} stop buffer",
            key(f"strategy.stop_buffer_{regime}_low"),
            LE,
            key(f"strategy.stop_buffer_{regime}_high"),
            "the buffer from {left} to {right} ATR is empty",
        )
        for regime in ("tight", "wide")
    ),
    *(
        Rule(
            f"{regime} score: neutral asks for no less than aligned",
            key(f"strategy.thresholds.{regime}_aligned"),
            LE,
            key(f"strategy.thresholds.{regime}_neutral"),
            "trading with the bias needs {left} points, without it only {right}",
        )
        for regime in ("tight", "wide")
    ),
    *(
        Rule(
            f"tier rules: {worse.upper()} asks for no more {word} than {better.upper()}",
            key(f"data.universe.tier_rules.{left}"),
            LE,
            key(f"data.universe.tier_rules.{right}"),
            f"tier {worse.upper()} would be harder to reach than tier {better.upper()}: {{left}} against {{right}}",
        )
        for better, worse in ("ab", "bc")
        for word, left, right in (
            ("volume", f"{worse}.volume_usd_min", f"{better}.volume_usd_min"),
            ("tightness", f"{better}.spread_max", f"{worse}.spread_max"),
        )
    ),
)


def rules(settings: Settings) -> Iterator[Rule]:
    """All rules that apply; those over lists depend on what the lists hold."""
    yield from (*MARGIN, *COUNTS, *EXPOSURE, *LOSSES, *TIMES, *SIGNALS)
    yield from _splits()
    yield from _trailing(settings)
    yield from _score_levels(settings)
    yield from _no_dead_tier(settings)


def _splits() -> Iterator[Rule]:
    for name in ("default", "tight_smc", "wide_structure", "consolidation"):
        path = f"multi_tp.split_{name}"
        total = plus(plus(key(f"{path}.tp1"), key(f"{path}.tp2")), key(f"{path}.runner"))
        yield Rule(f"{name} shares sum to 1", total, EQ, number("1"), "TP1, TP2 and runner add up to {left} of the entry")


def _trailing(settings: Settings) -> Iterator[Rule]:
    steps = settings.multi_tp.trailing_steps
    yield Rule(
        "trailing begins at 0 R",
        number(steps[0].from_r if steps else -1, "multi_tp.trailing_steps[0].from_r"),
        EQ,
        number(0),
        "no multiple is given for a position between 0 R and the first step {left} R",
    )
    for index, (earlier, later) in enumerate(pairwise(steps), start=1):
        before, here = f"multi_tp.trailing_steps[{index - 1}]", f"multi_tp.trailing_steps[{index}]"
        yield Rule(
            f"trailing step {index} comes later",
            number(earlier.from_r, f"{before}.from_r"),
            LT,
            number(later.from_r, f"{here}.from_r"),
            "steps are in order of R: {left} R is followed by {right} R",
        )
        yield Rule(
            f"trailing step {index} trails tighter",
            number(later.atr_multiple, f"{here}.atr_multiple"),
            LT,
            number(earlier.atr_multiple, f"{before}.atr_multiple"),
            "with more profit the stop would trail wider: {left} ATR after {right} ATR",
        )


def _score_levels(settings: Settings) -> Iterator[Rule]:
    points = settings.strategy.points
    for name, levels, values in (
        ("adx", points.adx_levels, points.adx_points),
        ("cost", points.cost_bps_levels, points.cost_points),
    ):
        yield Rule(
            f"{name} levels and points pair up",
            number(len(levels), f"count of {name} levels"),
            EQ,
            number(len(values), f"count of {name} points"),
            "{left} levels have {right} point values",
        )
        for below, above in pairwise(levels):
            yield Rule(
                f"{name} levels ascend",
                number(below, f"strategy.points {name} level"),
                LT,
                number(above, "the next"),
                "the level {left} is followed by {right}; the points of one of them are never given",
            )


def _no_dead_tier(settings: Settings) -> Iterator[Rule]:
    """A few dead cells are listed, not refused; a tier in which no stop distance works at the largest equity can never trade."""
    equity = max(EQUITIES)
    for tier in TIERS:
        alive = sum(not size_cell(settings, equity, tier, stop).is_dead for stop in STOPS)
        yield Rule(
            f"tier {tier} can trade at {equity} USD",
            number(1),
            LE,
            number(alive, f"stop distances with an allowed size, of {len(STOPS)}:"),
            f"with {equity} USD equity every size in tier {tier} is refused at every stop distance",
        )
