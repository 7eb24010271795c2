"""No approved entry ever breaks a cap: recomputed here from the configuration alone, on other formulas than the code's."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from risk_builders import BTC, LEVELS_A, LIMITS, a_book, a_situation, a_standing, a_ticker, an_account, an_instrument, an_intent, an_item
from trading_system.domain.exposure import ExposureItem, ExposureKind
from trading_system.domain.intents import Approved
from trading_system.domain.market import MarginLevel, Tier
from trading_system.domain.orders import Direction, EntryStyle
from trading_system.domain.signals import Regime
from trading_system.domain.units import Qty
from trading_system.risk.limits import CapLimits, ExposureBasis, NotionalCap, RiskLimits, SizingLimits, SizingMethod
from trading_system.risk.risk_manager import decide_entry
from trading_system.risk.situation import ExposureBook, MarketView, Situation

EPSILON = D("1e-9")
STEEP = (MarginLevel(D(0), D("0.10"), D("0.05")), MarginLevel(D(10000), D("0.20"), D("0.10")), MarginLevel(D(30000), D("0.50"), D("0.25")))


def decimals(low: str, high: str, places: int = 2) -> st.SearchStrategy[D]:
    return st.decimals(D(low), D(high), places=places, allow_nan=False)


@st.composite
def items(draw: st.DrawFn, equity: D) -> tuple[ExposureItem, ...]:
    """Up to seven items of 1 to 100 % of equity each; most stops are near or past break-even, so that room is left."""
    found = []
    for index in range(draw(st.integers(0, 7))):
        direction = draw(st.sampled_from(Direction))
        stop = D(100) - direction.sign * draw(decimals("-1", "0.9"))
        found.append(
            an_item(
                f"C{index}/USD",
                direction,
                qty=str(draw(decimals("0.01", "1")) * equity / 100),
                stop=str(stop),
                entry=str(draw(decimals("99", "101"))),
                kind=draw(st.sampled_from(ExposureKind)),
                leverage=draw(st.sampled_from(["7", "5", "2"])),
            )
        )
    return tuple(found)


@st.composite
def limits(draw: st.DrawFn) -> RiskLimits:
    cap = NotionalCap(D("0.05"), D("25"))
    caps = CapLimits(
        exposure_basis=draw(st.sampled_from(ExposureBasis)),
        position_notional=draw(st.sampled_from([None, None, cap])),
        total_notional=draw(st.sampled_from([None, None, None, NotionalCap(D("0.15"), D("75"))])),
        open_notional_usd_max=draw(st.sampled_from([D("450000"), D("450000"), D("20000")])),
    )
    sizing = SizingLimits(method=draw(st.sampled_from(SizingMethod)), leverage_share=draw(st.sampled_from([D("0.03"), D("1")])))
    return replace(LIMITS, caps=caps, sizing=sizing, entry_style=draw(st.sampled_from(EntryStyle)))


@st.composite
def questions(draw: st.DrawFn) -> tuple[Any, Situation, RiskLimits]:
    equity = str(draw(st.sampled_from([D(100), D(350), D(10000), D(1000000)])) * draw(decimals("0.5", "2")))
    direction = draw(st.sampled_from(Direction))
    step = draw(st.sampled_from([D("0.001"), D("0.1"), D("1"), D("10")]))
    instrument = an_instrument(
        size_step=step,
        size_min=Qty(step),
        tick=draw(st.sampled_from([D("0.01"), D("0.05"), D("0.5")])),
        position_size_max=draw(st.sampled_from([None, None, Qty(D("33"))])),
        margin_levels=draw(st.sampled_from([LEVELS_A, STEEP])),
    )
    market = MarketView(
        instrument, draw(st.sampled_from(Tier)), a_ticker(), a_book(), atr_ratio=draw(st.sampled_from([None, D("0.4"), D("2")]))
    )
    standing = a_standing(equity)
    swing = draw(decimals("-0.049", "0.05", 3)) * D(equity)
    situation = a_situation(
        equity,
        market=market,
        book=ExposureBook(draw(items(D(equity)))),
        account=an_account(equity, available=str(D(equity) * draw(st.sampled_from([D("1"), D("1"), D("0.05")])))),
        losses=replace(standing, day_pnl=swing, week_pnl=swing),
    )
    distance = float(draw(decimals("0.3", "9.5")))
    intent = an_intent(
        direction=direction,
        stop=100 - direction.sign * distance,
        target=100 + direction.sign * distance * 3,
        regime=draw(st.sampled_from([Regime.TIGHT_SMC, Regime.WIDE_STRUCTURE])),
    )
    return intent, situation, draw(limits())


def recomputed_margin(notional: D, levels: tuple[MarginLevel, ...], leverage: D) -> D:
    rate = max(level.initial for level in levels if level.notional_from <= notional)
    return max(notional * rate, notional / leverage)


def recomputed_risk(item: ExposureItem) -> D:
    """Loss from mark (orders: the worse of mark and limit) to the stop, with 5 + 10 bps of the exit."""
    if item.stop_price is None:
        return item.notional
    is_long = item.direction is Direction.LONG
    if item.kind is ExposureKind.POSITION and ((item.stop_price >= item.entry_price) if is_long else (item.stop_price <= item.entry_price)):
        return D(0)
    prices = [item.mark] if item.kind is ExposureKind.POSITION else [item.mark, item.entry_price]
    move = max(prices) - item.stop_price if is_long else item.stop_price - min(prices)
    return max(D(0), item.qty * (move + item.stop_price * D("0.0015")))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(questions())
def test_an_approved_entry_is_within_every_cap(question: tuple[Any, Situation, RiskLimits]) -> None:
    intent, situation, rules = question
    decision = decide_entry(intent, situation, rules)
    if not isinstance(decision, Approved):
        return
    equity, market, tier = situation.account.equity_for_sizing, situation.market, rules.tier(decision.tier)
    notional = decision.qty * max(decision.mark_price, decision.limit_price)
    leverage = min(D(7), tier.leverage_max)
    margin = recomputed_margin(notional, market.instrument.margin_levels, leverage)
    held = situation.book.items

    assert decision.qty % market.instrument.size_step == 0
    assert decision.stop_price % market.instrument.tick == 0
    assert decision.limit_price % market.instrument.tick == 0
    assert decision.planned_margin <= margin + EPSILON
    assert margin <= decision.planned_margin + EPSILON
    assert notional <= tier.notional_max_usd + EPSILON
    assert sum(i.planned_margin for i in held) + margin <= D("0.90") * equity + EPSILON
    assert margin <= D("0.95") * situation.account.available_margin + EPSILON
    assert sum(i.notional for i in held) + notional <= rules.caps.open_notional_usd_max + EPSILON
    on_basis = notional if rules.caps.exposure_basis is ExposureBasis.NOTIONAL else margin
    held_on_basis = sum(i.notional if rules.caps.exposure_basis is ExposureBasis.NOTIONAL else i.planned_margin for i in held)
    assert on_basis <= D("0.25") * equity + EPSILON
    assert held_on_basis + on_basis <= 2 * equity + EPSILON
    if rules.caps.position_notional is not None:
        assert notional <= max(D("0.05") * equity, D(25)) + EPSILON
    if rules.caps.total_notional is not None:
        assert sum(i.notional for i in held) + notional <= max(D("0.15") * equity, D(75)) + EPSILON
    if market.instrument.position_size_max is not None:
        assert decision.qty <= market.instrument.position_size_max
    risk = sum(recomputed_risk(i) for i in held) + recomputed_risk(decision.exposure)
    assert risk <= D("0.04") * equity + EPSILON
    assert situation.losses is not None
    assert situation.losses.day_pnl - risk >= -D("0.05") * equity - EPSILON
    assert decision.qty * abs(decision.mark_price - decision.stop_price) <= D("0.012") * equity + EPSILON
    assert decision.qty * decision.mark_price >= 10
    assert len({i.symbol for i in held}) + 1 <= 8
    assert all(clamp.after <= clamp.before for clamp in decision.trace.clamps)


@settings(max_examples=100, deadline=None)
@given(questions(), st.sampled_from(ExposureKind))
def test_a_symbol_with_anything_on_it_is_never_approved(question: tuple[Any, Situation, RiskLimits], kind: ExposureKind) -> None:
    intent, situation, rules = question
    taken = replace(situation, book=situation.book.with_item(an_item(str(BTC), kind=kind, qty="0.1")))

    assert not isinstance(decide_entry(intent, taken, rules), Approved)
