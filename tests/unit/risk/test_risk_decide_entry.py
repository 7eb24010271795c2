"""The whole decision, and each gate at its limit and just beyond."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import pytest

from risk_builders import (
    BTC,
    LEVELS_A,
    LIMITS,
    NOW,
    a_book,
    a_market,
    a_signal,
    a_situation,
    a_standing,
    a_ticker,
    an_account,
    an_instrument,
    an_intent,
    an_item,
)
from trading_system.domain.exposure import ExposureItem, ExposureKind
from trading_system.domain.intents import Approved, RefusalReason, Refused, TakeProfitTarget
from trading_system.domain.market import BookLevel, MarginLevel, Tier, TradingStatus
from trading_system.domain.modes import Mode
from trading_system.domain.orders import Direction, EntryStyle, Side
from trading_system.domain.signals import Regime
from trading_system.domain.units import Price, Qty, Usd
from trading_system.risk.limits import CapLimits, ExposureBasis, NotionalCap, RiskLimits, SizingLimits, SizingMethod
from trading_system.risk.risk_manager import decide_entry, dry_judge
from trading_system.risk.situation import ExposureBook, Situation
from trading_system.risk.streaks import StreakState

R = RefusalReason


def decide(situation: Situation | None = None, limits: RiskLimits = LIMITS, **signal: Any) -> Approved | Refused:
    return decide_entry(an_intent(**signal), situation or a_situation(), limits)


def approved(situation: Situation | None = None, limits: RiskLimits = LIMITS, **signal: Any) -> Approved:
    decision = decide(situation, limits, **signal)
    assert isinstance(decision, Approved), decision
    return decision


def test_a_clean_long_is_approved_with_everything_the_gateway_needs() -> None:
    decision = approved()

    assert decision.qty == D("50.000")  # 1 % of 10,000 over a stop 2 USD away
    assert (decision.side, decision.style, decision.tier) == (Side.BUY, EntryStyle.IOC, Tier.A)
    assert (decision.mark_price, decision.limit_price, decision.stop_price) == (D("100"), D("100.11"), D("98.00"))
    assert decision.take_profits == (
        TakeProfitTarget(D("1.0"), D("0.50"), Price(D("102.00"))),
        TakeProfitTarget(D("2.5"), D("0.40"), Price(D("105.00"))),
    )
    assert decision.exposure == ExposureItem(
        symbol=BTC,
        direction=Direction.LONG,
        kind=ExposureKind.IN_FLIGHT,
        qty=Qty(D("50.000")),
        mark=Price(D("100")),
        entry_price=Price(D("100.11")),
        stop_price=Price(D("98.00")),
        notional=Usd(D("5005.50")),
        planned_margin=Usd(D("5005.50") / 7),
        margin_levels=LEVELS_A,
    )
    assert decision.planned_leverage == 7
    assert decision.open_risk == D("50") * (D("2.11") + D("98") * D("0.0015"))
    assert (decision.trace.method, decision.trace.stop_distance, decision.trace.binding) == ("risk_based", D("0.02"), None)
    assert decision.position_id == "BTC-202503051200"


def test_a_short_is_the_mirror_of_a_long() -> None:
    decision = approved(direction=Direction.SHORT)

    assert (decision.side, decision.limit_price, decision.stop_price, decision.qty) == (Side.SELL, D("99.90"), D("102.00"), D("50.000"))
    assert [target.price for target in decision.take_profits] == [D("98.00"), D("95.00")]


@pytest.mark.parametrize(
    ("direction", "stop", "rounded"), [(Direction.LONG, 98.0049, "98.01"), (Direction.SHORT, 101.9951, "101.99")], ids=["long", "short"]
)
def test_the_stop_is_rounded_to_the_side_that_does_not_increase_the_loss(direction: Direction, stop: float, rounded: str) -> None:
    assert approved(direction=direction, stop=stop).stop_price == D(rounded)


def market(**changes: Any) -> Situation:
    return a_situation(market=a_market(**changes))


def quote(**changes: Any) -> Situation:
    return market(ticker=a_ticker(**changes))


def losses(**changes: Any) -> Situation:
    return a_situation(losses=a_standing(**changes))


@pytest.mark.parametrize(
    ("signal", "situation", "reason"),
    [
        ({"stop": 100.0}, a_situation(), R.STOP_WRONG_SIDE),
        ({"stop": 101.0}, a_situation(), R.STOP_WRONG_SIDE),
        ({"stop": float("nan")}, a_situation(), R.STOP_WRONG_SIDE),
        ({"stop": -1.0}, a_situation(), R.STOP_WRONG_SIDE),
        ({"target": float("inf")}, a_situation(), R.STOP_WRONG_SIDE),
        ({"stop": 99.901}, a_situation(), R.STOP_DISTANCE),
        ({"stop": 89.9}, a_situation(), R.STOP_DISTANCE),
        ({}, a_situation(mode=Mode.DEGRADED), R.MODE_NOT_NORMAL),
        ({}, a_situation(mode=Mode.HALTED), R.MODE_NOT_NORMAL),
        ({}, a_situation(mode=Mode.KILL_SWITCH), R.MODE_NOT_NORMAL),
        ({}, a_situation(clock_skew_s=D("-5.1")), R.CLOCK_SKEW),
        ({}, market(tier=None), R.MARKET_CLOSED),
        ({}, market(instrument=an_instrument(status=TradingStatus.POST_ONLY)), R.MARKET_CLOSED),
        ({}, quote(status=TradingStatus.SUSPENDED), R.MARKET_CLOSED),
        ({}, quote(mark="100", index=None), R.QUOTE_UNUSABLE),
        ({}, quote(bid=None), R.QUOTE_UNUSABLE),
        ({}, quote(ask=Price(D("99"))), R.QUOTE_UNUSABLE),
        ({}, quote(bid=Price(D("NaN"))), R.QUOTE_UNUSABLE),
        ({}, quote(symbol="ETH/USD"), R.QUOTE_UNUSABLE),
        ({}, market(is_quote_accepted=False), R.QUOTE_UNUSABLE),
        ({}, quote(at=NOW - timedelta(seconds=30.5)), R.QUOTE_STALE),
        ({}, quote(at=NOW + timedelta(seconds=5.5)), R.QUOTE_STALE),
        ({}, quote(index=Price(D("100.76"))), R.INDEX_DEVIATION),
        ({}, quote(mark="100.26"), R.PRICE_MOVED),
        ({"stop": 99.8}, quote(mark="99.75"), R.STOP_WRONG_SIDE),
        ({}, a_situation(book=ExposureBook((an_item("BTC/USD"),))), R.LIVE_EXPOSURE),
        ({}, a_situation(book=ExposureBook((an_item("BTC/USD", kind=ExposureKind.IN_FLIGHT),))), R.PENDING_ORDER),
        ({}, a_situation(book=ExposureBook((an_item("BTC/USD", kind=ExposureKind.RESTING),))), R.PENDING_ORDER),
        ({}, a_situation(book=ExposureBook((an_item("BTC/USD", kind=ExposureKind.UNKNOWN),))), R.UNKNOWN_ORDER),
        ({}, a_situation(book=ExposureBook(leftover_symbols=frozenset({BTC}))), R.LEFTOVER_ORDER),
        ({}, a_situation(account=an_account("0")), R.EQUITY_UNUSABLE),
        ({}, a_situation(losses=None), R.LOSS_STATE_STALE),
        ({}, losses(as_of=NOW - timedelta(seconds=181)), R.LOSS_STATE_STALE),
        ({}, losses(drawdown=D("0.10")), R.DRAWDOWN),
        ({}, losses(is_drawdown_degraded=True), R.DRAWDOWN),
        ({}, losses(is_day_stopped=True), R.DAILY_LOSS),
        ({}, losses(is_week_stopped=True), R.WEEKLY_LOSS),
        ({}, a_situation(streaks=StreakState(symbol_paused_until={BTC: NOW + timedelta(seconds=1)})), R.SYMBOL_PAUSED),
        ({}, a_situation(streaks=StreakState(regime_paused_until={Regime.TIGHT_SMC: NOW + timedelta(seconds=1)})), R.LOSS_STREAK),
        ({}, a_situation(recent_opens=(NOW - timedelta(minutes=59),) * 5), R.FREQUENCY_HOUR),
        ({}, a_situation(recent_opens=(NOW - timedelta(hours=23),) * 10), R.FREQUENCY_DAY),
        ({}, a_situation(book=ExposureBook(tuple(an_item(f"C{i}/USD", qty="0.1") for i in range(8)))), R.POSITIONS_MAX),
        ({"target": 103.9}, a_situation(), R.REWARD_TOO_LOW),
        ({}, quote(funding_rate_hourly=D("0.0003")), R.COST_TOO_HIGH),
        ({"regime": Regime.WIDE_STRUCTURE}, quote(funding_rate_hourly=D("0.0001")), R.COST_TOO_HIGH),
        ({}, market(book=None), R.BOOK_UNAVAILABLE),
        ({}, market(book=a_book(at=NOW - timedelta(seconds=31))), R.BOOK_UNAVAILABLE),
        ({}, market(book=a_book(asks=())), R.BOOK_UNAVAILABLE),
        ({}, market(book=a_book(qty="99.999")), R.BOOK_TOO_THIN),
        ({}, market(book=a_book(asks=(BookLevel(Price(D("100.51")), Qty(D("1000"))),))), R.SPREAD),
    ],
)
def test_a_spoiled_situation_is_refused_for_its_own_reason(signal: dict[str, Any], situation: Situation, reason: RefusalReason) -> None:
    decision = decide(situation, **signal)

    assert isinstance(decision, Refused)
    assert decision.reason is reason


@pytest.mark.parametrize(
    ("signal", "situation"),
    [
        ({"stop": 99.9}, a_situation(account=an_account("100"), losses=a_standing("100"))),
        ({"stop": 90.0, "target": 130.0}, a_situation()),
        ({}, a_situation(clock_skew_s=D("5"))),
        ({}, quote(at=NOW - timedelta(seconds=30))),
        ({}, quote(index=Price(D("100.75")))),
        ({}, quote(mark="100.25")),
        ({}, losses(drawdown=D("0.0999"))),
        ({}, losses(as_of=NOW - timedelta(seconds=180))),
        ({}, a_situation(streaks=StreakState(symbol_paused_until={BTC: NOW}))),
        ({}, a_situation(recent_opens=(NOW - timedelta(minutes=59),) * 4 + (NOW - timedelta(minutes=60),))),
        ({}, a_situation(recent_opens=(NOW - timedelta(hours=23),) * 9 + (NOW - timedelta(hours=24),))),
        ({}, a_situation(book=ExposureBook(tuple(an_item(f"C{i}/USD", qty="0.1") for i in range(7))))),
        ({"target": 104.0}, a_situation()),
        ({}, market(book=a_book(qty="100"))),
    ],
)
def test_up_to_and_including_the_limit_is_allowed(signal: dict[str, Any], situation: Situation) -> None:
    assert isinstance(decide(situation, **signal), Approved)


def test_live_exposure_is_refused_with_words_people_search_for() -> None:
    decision = decide(a_situation(book=ExposureBook((an_item("BTC/USD"),))))

    assert decision == Refused(R.LIVE_EXPOSURE, D(0), D(10), "Exchange has live exposure on BTC/USD: long 10. Blocking")


def test_a_dry_evaluation_does_not_need_the_order_book() -> None:
    assert isinstance(decide_entry(an_intent(), market(book=None), LIMITS, is_dry=True), Approved)


def test_the_entry_is_refused_when_the_margin_budget_is_already_used_up() -> None:
    full = an_item(qty="630", leverage="7", stop="101", entry="100")  # 63,000 / 7 = 9,000 = 0.90 of equity, risk-free

    assert decide(a_situation(book=ExposureBook((full,)))) == Refused(
        R.MARGIN_UTILIZATION, D("0.90"), D("0.9"), "no room left: Capping position notional by margin utilization limit"
    )


def binding(situation: Situation, limits: RiskLimits = LIMITS, **signal: Any) -> tuple[str, D | None]:
    decision = approved(situation, limits, **signal)
    return ("none", None) if decision.trace.binding is None else (decision.trace.binding.name, decision.notional)


@pytest.mark.parametrize(
    ("situation", "limits", "name", "at_most"),
    [
        (a_situation("1000000", market=a_market(book=a_book(qty="1000000"))), LIMITS, "tier", "100000"),
        (
            a_situation("1000000", market=a_market(tier=Tier.C)),
            LIMITS,
            "tier",
            "25000",
        ),
        (a_situation(book=ExposureBook((an_item(qty="160"),))), LIMITS, "open_risk", None),
        (losses(day_pnl=D("-450")), LIMITS, "daily_loss_room", None),
        (losses(week_pnl=D("-650")), LIMITS, "weekly_loss_room", None),
        (a_situation(account=an_account("10000", available="100")), LIMITS, "available_margin", "665"),
        (market(instrument=an_instrument(position_size_max=Qty(D("3")))), LIMITS, "venue_max_position", "300.33"),
        (
            a_situation(),
            replace(LIMITS, caps=CapLimits(exposure_basis=ExposureBasis.NOTIONAL)),
            "single_position",
            "2500",
        ),
        (
            a_situation(book=ExposureBook((an_item(qty="190", stop="101"),))),
            replace(LIMITS, caps=CapLimits(exposure_basis=ExposureBasis.NOTIONAL)),
            "aggregate",
            "1000",
        ),
        (a_situation(), replace(LIMITS, caps=CapLimits(position_notional=NotionalCap(D("0.05"), D("25")))), "position_notional", "500"),
        (
            a_situation(book=ExposureBook((an_item(qty="14", stop="101"),))),
            replace(LIMITS, caps=CapLimits(total_notional=NotionalCap(D("0.15"), D("75")))),
            "total_notional",
            "100",
        ),
    ],
)
def test_each_cap_shrinks_the_size_and_says_its_name(situation: Situation, limits: RiskLimits, name: str, at_most: str | None) -> None:
    found, notional = binding(situation, limits)

    assert found == name
    if at_most is not None:
        assert notional is not None
        assert D(at_most) * D("0.99") < notional <= D(at_most)


def test_a_position_whose_stop_is_past_break_even_uses_no_open_risk() -> None:
    risk_free = an_item(qty="160", mark="110", entry="100", stop="101")

    assert approved(a_situation(book=ExposureBook((risk_free,)))).trace.binding is None


def test_open_risk_at_its_limit_leaves_no_room() -> None:
    naked = an_item(qty="4", stop=None)  # 400 USD without a stop: all of it is at risk

    assert decide(a_situation(book=ExposureBook((naked,)))) == Refused(
        R.OPEN_RISK, D("0.04"), D("0.04"), "no room left: Capping position notional by open risk limit"
    )


def test_a_size_below_the_minimum_is_refused_and_names_the_clamp_that_made_it_small() -> None:
    decision = decide(a_situation(account=an_account("10000", available="1")))

    assert isinstance(decision, Refused)
    assert (decision.reason, decision.note) == (R.NOTIONAL_BELOW_MINIMUM, "Capping position notional by available margin")
    assert decision.trace is not None


def test_the_size_step_may_exceed_one_and_floors() -> None:
    decision = approved(market(instrument=an_instrument(size_step=D("20"), size_min=Qty(D("20")))))

    assert decision.qty == D("40")


def test_a_position_too_near_its_liquidation_is_refused() -> None:
    hungry = replace(an_item(qty="200", stop="99.99", entry="99.9"), margin_levels=(MarginLevel(D(0), D("0.05"), D("0.45")),))

    decision = decide(a_situation(book=ExposureBook((hungry,))), stop=99.7, target=106.0)

    assert isinstance(decision, Refused)
    assert decision.reason is R.LIQUIDATION_TOO_CLOSE
    assert (decision.limit, decision.note[:14]) == (D("0.05"), "liquidation at")


def test_a_book_that_would_not_survive_a_twenty_percent_move_is_refused() -> None:
    heavy = an_item(qty="480", stop="100", entry="99.9")

    decision = decide(a_situation(book=ExposureBook((heavy,))))

    assert isinstance(decision, Refused)
    assert (decision.reason, decision.note) == (R.STRESS, "all prices -20.00 %: equity would be below maintenance")


@pytest.mark.parametrize(
    ("style", "long_limit", "short_limit"),
    [(EntryStyle.IOC, "100.11", "99.90"), (EntryStyle.LIMIT, "100.01", "99.99"), (EntryStyle.POST_ONLY, "99.99", "100.01")],
)
def test_the_limit_price_follows_the_entry_style(style: EntryStyle, long_limit: str, short_limit: str) -> None:
    limits = replace(LIMITS, entry_style=style)

    assert approved(limits=limits).limit_price == D(long_limit)
    assert approved(limits=limits, direction=Direction.SHORT).limit_price == D(short_limit)


@pytest.mark.parametrize(
    ("method", "atr_ratio", "qty"),
    [
        (SizingMethod.RISK_BASED, None, "50.000"),
        (SizingMethod.LEVERAGE_BASED, None, "21.000"),
        (SizingMethod.KELLY, None, "50.000"),
        (SizingMethod.VOLATILITY, D("1.51"), "35.000"),
        (SizingMethod.VOLATILITY, D("1.50"), "50.000"),
        (SizingMethod.VOLATILITY, D("0.49"), "60.000"),
        (SizingMethod.KELLY_VOLATILITY, D("1.51"), "35.000"),
    ],
)
def test_sizing_methods(method: SizingMethod, atr_ratio: D | None, qty: str) -> None:
    limits = replace(LIMITS, sizing=SizingLimits(method=method))

    assert approved(market(atr_ratio=atr_ratio), limits).qty == D(qty)


def test_kelly_without_an_edge_wants_no_position() -> None:
    limits = replace(LIMITS, sizing=SizingLimits(method=SizingMethod.KELLY, kelly_win_probability=D("0.33")))

    assert decide(limits=limits) == Refused(R.SIZE_ZERO, D(0), D(0), "kelly wants no position")


def test_no_method_risks_more_than_the_ceiling() -> None:
    sizing = SizingLimits(method=SizingMethod.LEVERAGE_BASED, leverage_share=D("1"))

    decision = approved(limits=replace(LIMITS, sizing=sizing))

    assert decision.trace.clamps[0].name == "risk_ceiling"
    assert decision.trace.clamps[0].binds
    assert decision.qty == D("60.000")


def test_the_dry_judge_counts_the_opens_accepted_before_in_the_same_cycle() -> None:
    judge = dry_judge(lambda symbol: a_situation() if symbol == BTC else None, LIMITS)

    assert isinstance(judge(an_intent(), (), 4), Approved)
    assert judge(an_intent(), (), 5) == Refused(R.FREQUENCY_HOUR, D(5), D(6))
    unknown = judge(an_intent(a_signal("ETH/USD")), (), 0)
    assert isinstance(unknown, Refused)
    assert unknown.reason is R.QUOTE_UNUSABLE
