"""The daemon lives through every reading of what no page of the venue tells: each switch of the exchange at another value than its own.

One life each, the real adapter reading raw answers: entry, stop, the first target, a crash with a restart, the stop that ends it.
"""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

import pytest
from daemon_driver import play
from scenario_ending import Ending
from scenario_parts import BTC, At, Scenario, crash

from trading_system.domain import events as ev
from trading_system.domain.positions import CloseReason
from trading_system.sim.variants import ExchangeVariants, LiquidationStyle, MarginRule

D = Decimal
PRICES = {BTC: {0: 80_000.0, 100: 80_900.0, 300: 79_000.0}}
OTHERWISE: dict[str, tuple[Any, ...]] = {
    "liquidation": (LiquidationStyle.FULL,),
    "liquidation_fee": (D(0), D("0.02")),
    "partial_share": (D("0.1"), D(1)),
    "partial_from_usd": (D(0),),
    "assignment_depth": (D(0),),
    "margin_rule": (MarginRule.MARGINAL,),
    "accepts_trailing_stops": (False,),
    "price_collar": (None, D("0.02")),
    "dislocation": (D("0.05"),),
    "small_order_usd": (D(20_000),),
    "small_orders_max": (3,),
    "market_orders_max": (4,),
    "reduce_only_trigger_needs_position": (True,),
    "cancel_all_denies": (True,),
    "dead_man_spares_triggers": (True,),
    "ioc_rest_is_told": (False,),
    "has_fee_tiers": (False,),
    "mark_average_ms": (1, 120_000),
    "maker_protection_ms": (20, 100),
    "maker_protection_markets": (1,),
    "stop_word": ("stop",),
    "fills_page": (1, 20),
    "fills_show_fees": (True,),
    "batch_max": (1,),
    "bids_ascending": (True,),
    "folds_symbol_case": (False,),
    "serves_history": (False,),
    "unpublished_points": (25,),
    "heartbeat_s": (30.0,),
    "weeks_open_on_thursday": (True,),
    "checks_nonces": (True,),
    "long_id_word": ("clientOrderIdTooBig",),
    "maintenance_status": (200,),
}


def a_life(variants: ExchangeVariants) -> Ending:
    return play(Scenario(prices=PRICES, raw=(), variants=variants, acts=(At(200, crash()),), until_s=420))


def outcome(end: Ending) -> tuple[object, ...]:
    """What must come out of it: what was done, what is left, what was executed."""
    fills = sorted((fill.fill.side.value, fill.fill.qty) for fill in end.of(ev.FillBooked))
    return [position.state for position in end.positions], end.stops(), fills, [closed.reason for closed in end.of(ev.PositionClosed)]


@pytest.fixture(scope="module")
def usual() -> Ending:
    return a_life(ExchangeVariants())


def test_the_life_that_the_others_are_read_against_ends_at_its_stop(usual: Ending) -> None:
    assert [ended.reason for ended in usual.of(ev.PositionClosed)] == [CloseReason.STOP]
    assert not usual.unexpected


def test_every_switch_is_tried() -> None:
    assert set(OTHERWISE) == {field.name for field in dataclasses.fields(ExchangeVariants)}


@pytest.mark.parametrize(("switch", "value"), [(switch, value) for switch, values in OTHERWISE.items() for value in values])
def test_the_daemon_lives_the_same_life_with_the_switch_the_other_way(usual: Ending, switch: str, value: Any) -> None:
    end = a_life(ExchangeVariants(**{switch: value}))

    assert not end.unexpected
    assert outcome(end) == outcome(usual)
