"""The checker of the way a stop moves, and the ways in which the runs of the swarm are configured."""

from __future__ import annotations

from torture_builders import POSITION, SL, Bench, D, at, planned

from trading_system.domain.events import AmendConfirmed, AmendIntended, CloseRequested, OrderIntended, OrderPlaced
from trading_system.domain.orders import ClientOrderId, OrderPurpose, Price, Qty, Side, VenueOrderId
from trading_system.domain.positions import CloseReason, OwnOrder
from trading_system.domain.symbols import Symbol
from trading_system.sim.model import EditRequest
from trading_system.torture.case import busy_settings
from trading_system.torture.check_stops import StopChecker
from trading_system.torture.habits import draw_habits

SYMBOL = Symbol("BTC/USD")


def a_stop(trigger: int, attempt: int = 1) -> tuple[OrderIntended, OrderPlaced]:
    """A stop of ours that is sent, and that rests."""
    key = ClientOrderId(f"ts-{POSITION}-sl-{attempt}")
    price = Price(D(trigger))
    order = OwnOrder(key, POSITION, SYMBOL, OrderPurpose.STOP, attempt, Side.SELL, Qty(D("0.01")), at(), trigger_price=price)
    return OrderIntended(at(), order), OrderPlaced(at(), key, VenueOrderId(f"venue-{attempt}"))


def amended(trigger: int) -> tuple[AmendIntended, AmendConfirmed]:
    key, qty, price = ClientOrderId(SL), Qty(D("0.01")), Price(D(trigger))
    return AmendIntended(at(), key, qty, price, "a test"), AmendConfirmed(at(), key, qty, price)


def a_stop_bench() -> Bench:
    """A long of ours with its first stop at 79,000."""
    bench = Bench()
    bench.checker = StopChecker(lambda symbol: D(1))
    return bench.journal(planned()[0]).enter().stop("0.01").journal(*a_stop(79_000))


def test_a_stop_may_come_again_where_it_was_and_move_toward_profit_and_never_back() -> None:
    assert a_stop_bench().journal(*a_stop(79_000, 2), *amended(79_500), *a_stop(79_499, 3)).rules == []
    assert a_stop_bench().journal(*amended(79_500), *a_stop(79_000, 2)).rules == ["S1"]
    assert a_stop_bench().journal(*amended(78_000)).rules == ["S1"]


def test_what_was_asked_for_and_never_confirmed_is_no_measure() -> None:
    assert a_stop_bench().journal(amended(79_500)[0], *a_stop(79_000, 2)).rules == []


def test_a_stop_for_what_a_close_left_may_hang_lower_and_an_adopted_one_is_not_ours_to_judge() -> None:
    close = CloseRequested(at(), POSITION, CloseReason.FINAL_TARGET, "a test")
    assert a_stop_bench().journal(close, *a_stop(78_000, 2)).rules == []
    adopted = Bench()
    adopted.checker = StopChecker(lambda symbol: D(1))
    assert adopted.journal(*a_stop(79_000), *a_stop(78_000, 2)).rules == []


def test_an_amendment_that_the_network_held_up_moves_the_stop_back_and_is_seen() -> None:
    bench = a_stop_bench().journal(*amended(79_500))
    bench.exchange.edit(EditRequest(cli_ord_id=SL, stop_price=D(79_500)))
    assert bench.rules == []

    bench.exchange.edit(EditRequest(cli_ord_id=SL, stop_price=D(79_100)))
    assert bench.rules == ["S1"]


def test_the_swarm_enters_and_leaves_in_every_way_there_is() -> None:
    drawn = [busy_settings(draw_habits(seed)) for seed in range(120)]

    assert {s.execution.entry_type for s in drawn} == {"market", "limit", "limit_post_only"}
    assert {s.multi_tp.final_target.action for s in drawn} == {"none", "tighten_trail", "close_partial", "close_full"}
    assert {s.multi_tp.premise_exit for s in drawn} == {True, False}
    assert {s.multi_tp.time_exit_hours for s in drawn} == {None, D("0.5"), D("1.5")}
    assert {s.multi_tp.split_default.tp1 for s in drawn} == {D("0.40"), D(0), D("0.5"), D("0.1")}
    assert {len(s.multi_tp.trailing_steps) for s in drawn} == {4, 2}
    assert draw_habits(3) == draw_habits(3)
