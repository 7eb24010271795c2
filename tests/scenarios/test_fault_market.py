"""Fault cases F (market data) and those of E and D that prices and listings make, through the running daemon."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from daemon_driver import play
from raw_venue import Raw
from scenario_parts import BTC, ETH, START_MS, At, Scenario, Wish, auto_deleverage, book_holds, by_hand, drop_stops, market_is
from scripted_wire import Read

from trading_system.domain import events as ev
from trading_system.domain.modes import Mode
from trading_system.domain.orders import Direction, FillKind, Side
from trading_system.domain.positions import CloseReason, PositionState
from trading_system.domain.units import from_ms
from trading_system.sim.kraken_server.encoding import iso
from trading_system.sim.model import MarketMode

D = Decimal
QUIET_LIFE = ["entry placed", "entry filled", "stop placed", "tp1 placed", "tp2 placed"]
MUTE = ((0, 10_000),)
TWO = {BTC: {0: 80_000.0}, ETH: {0: 3_000.0}}
LATER_ETH = (Wish(BTC), Wish(ETH, at_s=900))


def ticker_of_eth(**changes: Any) -> Callable[[Any], Any]:
    def edit(payload: Any) -> Any:
        return payload | {"tickers": [row | changes if row["symbol"] == "PF_ETHUSD" else row for row in payload["tickers"]]}

    return edit


# --- D: rounding and one-venue prices -----------------------------------------------------------------------------------


def test_fault_d17_the_stop_of_a_long_is_rounded_to_the_side_of_less_loss() -> None:
    end = play(Scenario(wishes=(Wish(stop_price=79_199.4),), until_s=60))

    assert [trigger for _, trigger in end.stops()] == [D(79_200)]
    assert end.sent("entry")[0].request.size == D("0.1250"), "and the size is cut to a whole step, never up"


@pytest.mark.parametrize("changes", [{"indexPrice": D(2_950)}, {"markPrice": D(3_060)}], ids=["index apart", "mark apart"])
def test_fault_d10_one_venue_with_a_price_of_its_own_opens_nothing(changes: dict[str, Any]) -> None:
    end = play(
        Scenario(prices=TWO, wishes=LATER_ETH, raw=(Raw("tickers", ticker_of_eth(**changes), from_s=800, to_s=1_100),), until_s=1_100)
    )

    assert not end.sent("entry", ETH)
    assert end.logged("SIGNAL_REJECTED") or end.logged("QUOTE_REFUSED"), end.tale()
    assert end.stops(BTC) == [(D("0.1250"), D(79_200))]


def test_fault_d10_a_spike_of_one_tick_tightens_no_stop() -> None:
    """The feed of quotes shows a fifth more for a moment; the market itself did not move."""

    def spike(payload: Any) -> Any:
        names = ("bid", "ask", "last", "markPrice", "indexPrice")
        rows = [row | {name: row[name] * D("1.2") for name in names} for row in payload["tickers"]]
        return payload | {"tickers": rows}

    end = play(Scenario(prices={BTC: {0: 80_000.0, 100: 80_900.0}}, raw=(Raw("tickers", spike, from_s=295, to_s=310),), until_s=400))

    before = [sent.trigger_price for sent in end.of(ev.AmendConfirmed) if (sent.at - from_ms(START_MS)).total_seconds() < 295]
    assert end.stops()[0][1] == before[-1], end.tale()


@pytest.mark.parametrize("mark", [D(0), D(-5)])
def test_fault_d10_a_position_taken_over_while_its_mark_is_told_as_zero_gets_a_stop_at_a_price(mark: Decimal) -> None:
    """Told through a port that lets it pass, such a mark made a stop below zero, refused for as long as the position was held."""
    told = Raw("tickers", ticker_of_eth(markPrice=mark), from_s=20, to_s=1_000)
    end = play(Scenario(prices=TWO, wishes=(), acts=(At(100, by_hand(Side.BUY, "0.1", ETH)),), raw=(told,), until_s=300))

    ((qty, trigger),) = end.stops(ETH)
    assert (qty, trigger is not None and D(2_900) < trigger < D(3_000)) == (D("0.1"), True)


# --- E ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "what",
    [{"instruments": []}, {"instruments": None}, "only one"],
    ids=["none", "no list", "a tenth"],
)
def test_fault_e07_a_universe_that_disappears_in_maintenance_is_kept_and_what_is_held_stays_managed(what: Any) -> None:
    """Discovery is repeated after four hours; here it is due after ten minutes."""

    def edit(payload: Any) -> Any:
        return payload | {"instruments": payload["instruments"][-1:]} if what == "only one" else payload | what

    end = play(
        Scenario(
            prices={BTC: {0: 80_000.0, 1_000: 80_900.0}, ETH: {0: 3_000.0}},
            raw=(Raw("instruments", edit, from_s=300), Raw("tickers", edit if what == "only one" else lambda p: p, times=0)),
            settings={"data": {"universe": {"discovery_hours": "0.17"}}},
            until_s=1_300,
        )
    )

    assert sum(asked.endpoint == "instruments" for asked in end.asked) >= 2, "it was asked again"
    assert "tp1 filled" in end.words(BTC)
    assert end.words(BTC)[-1] == "stop moved", "it is managed on"
    assert not end.sent("close")
    assert not end.unexpected


# --- F ------------------------------------------------------------------------------------------------------------------


def test_fault_f01_a_quote_that_cannot_be_read_opens_nothing_and_uses_no_signal_up() -> None:
    end = play(Scenario(prices=TWO, wishes=LATER_ETH, reads=(Read("tickers", 850, 1_000, fails=True),), until_s=1_200))

    sent = [(s.at_ms - START_MS) / 1000 for s in end.sent("entry", ETH)]
    assert all(at > 1_000 for at in sent)
    assert len(sent) <= 1
    assert end.stops(BTC) == [(D("0.1250"), D(79_200))]


def test_fault_f01_a_book_that_cannot_be_read_opens_nothing() -> None:
    end = play(Scenario(prices=TWO, wishes=LATER_ETH, reads=(Read("book", 850, 2_000, fails=True),), until_s=1_200))

    assert not end.sent("entry", ETH)
    assert "stop moved" not in end.words(BTC)
    assert len(end.stops(BTC)) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"bid": D(0)},
        {"bid": D(-1)},
        {"ask": None},
        {"bid": D(3_010), "ask": D(3_000)},
        {"last": D(0), "markPrice": D(0)},
        {"markPrice": None},
        {"suspended": True},
        {"bid": D(30_000), "ask": D(30_001), "last": D(30_000)},
    ],
    ids=["bid zero", "bid negative", "no ask", "crossed", "zero", "no mark", "suspended", "ten times"],
)
def test_fault_f02_a_quote_that_means_nothing_opens_nothing(changes: dict[str, Any]) -> None:
    end = play(
        Scenario(prices=TWO, wishes=LATER_ETH, raw=(Raw("tickers", ticker_of_eth(**changes), from_s=800, to_s=1_100),), until_s=1_100)
    )

    assert not end.sent("entry", ETH), end.tale()
    assert end.stops(BTC) == [(D("0.1250"), D(79_200))]
    assert end.words(BTC) == QUIET_LIFE
    assert not end.unexpected


def candle_rows(change: Callable[[list[Any]], list[Any]]) -> Callable[[Any], Any]:
    return lambda payload: payload | {"candles": change(payload["candles"])}


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: [row | {"open": "0", "high": "NaN", "low": "-1", "close": None} for row in rows],
        lambda rows: [row | {"high": "1"} for row in rows],
        lambda rows: [],
        lambda rows: [row | {"time": row["time"] - 900_000 * 500} for row in rows],
        lambda rows: [row | {"time": row["time"] + 900_000 * 3} for row in rows],
    ],
    ids=["nonsense", "high below low", "empty", "the oldest instead of the newest", "from the future"],
)
def test_fault_f02_f03_bars_that_cannot_be_true_give_no_signal(change: Callable[[list[Any]], list[Any]]) -> None:
    """From the second quarter of an hour on the charts of one market are rubbish."""
    eth = Raw("PF_ETHUSD", candle_rows(change), from_s=850)
    end = play(Scenario(prices=TWO, wishes=LATER_ETH, raw=(eth,), until_s=1_200))

    assert not end.sent("entry", ETH), end.tale()
    assert end.words(BTC) == QUIET_LIFE
    assert not end.unexpected


@pytest.mark.parametrize("seconds", [8, -8, 3_600])
def test_fault_f04_a_clock_that_is_off_opens_nothing_and_protection_does_not_care(seconds: int) -> None:
    def shifted(payload: Any) -> Any:
        return payload | {"serverTime": iso(START_MS + 1000 * (850 + seconds))}

    end = play(
        Scenario(
            prices=TWO,
            wishes=LATER_ETH,
            raw=(Raw("tickers", shifted, from_s=845, to_s=1_000),),
            acts=(At(950, drop_stops()),),
            until_s=1_000,
        )
    )

    assert not end.sent("entry", ETH)
    assert end.stops(BTC) == [(D("0.1250"), D(79_200))]
    assert end.naked_s(BTC) <= 4


def test_fault_f06_a_feed_that_is_connected_and_mute_costs_one_poll() -> None:
    end = play(Scenario(prices={BTC: {0: 80_000.0, 100: 80_900.0}}, feed_mute=MUTE, until_s=250))

    assert end.words()[:6] == [*QUIET_LIFE, "tp1 filled"]
    assert end.naked_s() <= 4
    assert len(end.stops()) == 1


def test_fault_f07_a_cascade_books_everything_and_opens_nothing_more() -> None:
    """Prices fall by a tenth in minutes: stops act, the day's limit stops entries, nobody averages in."""
    fall = {0: 80_000.0} | {600 + 5 * n: 80_000.0 - 100 * n for n in range(1, 80)}
    end = play(
        Scenario(
            prices={BTC: fall, ETH: {0: 3_000.0} | {600 + 5 * n: 3_000.0 - 4 * n for n in range(1, 80)}},
            wishes=(Wish(BTC), Wish(ETH), Wish(BTC, at_s=900), Wish(ETH, at_s=900)),
            settings={"strategy": {"signal_cooldown_hours": "0.01"}},
            until_s=1_200,
        )
    )

    assert [p.closure.reason for p in end.positions if p.closure][:2] == [CloseReason.STOP] * 2
    assert all(end.stops(s) for s in (BTC, ETH) if end.position(s) != 0)
    assert all(s.request.size * D(80_000) <= D(25_000) for s in end.sent("entry", BTC))
    assert not end.unexpected


@pytest.mark.parametrize("share", ["1", "0.4"])
@pytest.mark.parametrize("mute", [(), MUTE])
def test_fault_f07_the_winning_hedge_is_taken_away_in_the_middle_of_a_cascade(share: str, mute: tuple[tuple[float, float], ...]) -> None:
    """Auto-deleveraging takes the short, or a part of it, while the long is stopped out into a thin book and answers are slow."""
    fall = {600 + 5 * n: 1 - n / 800 for n in range(1, 80)}
    end = play(
        Scenario(
            prices={
                BTC: {0: 80_000.0} | {at_s: 80_000.0 * left for at_s, left in fall.items()},
                ETH: {0: 3_000.0} | {at_s: 3_000.0 * left for at_s, left in fall.items()},
            },
            wishes=(Wish(BTC), Wish(ETH, direction=Direction.SHORT, target_r=15.0), Wish(BTC, at_s=900)),
            acts=(At(630, book_holds("0.002", BTC)), At(650, auto_deleverage(share, ETH)), At(700, book_holds("1", BTC))),
            reads=(Read("fills", 620, 700, slow_s=3.0), Read("orders", 620, 700, slow_s=2.0)),
            feed_mute=mute,
            settings={"strategy": {"signal_cooldown_hours": "0.01"}},
            until_s=1_200,
        )
    )

    long, short = (next(p for p in end.positions if p.symbol == symbol) for symbol in (BTC, ETH))
    assert long.closure is not None
    assert long.closure.reason is CloseReason.STOP
    taken = {booked.fill.fill_id: booked.fill.qty for booked in end.of(ev.FillBooked) if booked.fill.kind is FillKind.UNWIND}
    assert taken == {fill.fill_id: fill.size for fill in end.exchange.fills() if fill.fill_type == "unwindBankrupt"}
    assert len(end.sent("entry", ETH)) == 1, "what was taken away is not opened again"
    if share == "1":
        assert short.closure is not None
        assert short.closure.reason is CloseReason.DELEVERAGED
        assert [told.urgent for told in end.told("POSITION_CLOSED") if told.symbol == ETH] == [True]
        assert not [order for order in end.exchange.open_orders() if order.symbol == "PF_ETHUSD"]
    assert sum(taken.values()) > 0
    assert not end.unexpected


def test_fault_c10_a_settled_contract_is_booked_with_its_settlement_and_told() -> None:
    end = play(
        Scenario(
            prices={BTC: {0: 80_000.0, 300: 80_900.0}, ETH: {0: 3_000.0}},
            wishes=(Wish(BTC), Wish(ETH)),
            acts=(At(60, market_is(MarketMode.DELISTED, ETH)),),
            until_s=500,
        )
    )

    (settled,) = [p for p in end.positions if p.symbol == ETH]
    assert end.position(ETH) == 0, "the venue settles a delisted contract"
    assert settled.state is PositionState.CLOSED
    assert settled.closure is not None
    assert settled.closure.reason is CloseReason.SETTLEMENT
    assert [told.symbol for told in end.told("POSITION_CLOSED")] == [ETH]
    assert "tp1 filled" in end.words(BTC)
    assert end.modes[-1] is Mode.NORMAL


def test_fault_d06_what_was_added_by_hand_a_second_before_the_stop_fired_is_not_left_naked() -> None:
    """The stop was placed for less than what is there when it fires."""
    end = play(
        Scenario(
            prices={BTC: {0: 80_000.0, 100: 79_100.0}},
            acts=(At(99, by_hand(Side.BUY, "0.05")),),
            feed_mute=MUTE,
            until_s=200,
        )
    )

    assert sum(size for size, _ in end.stops()) >= abs(end.position())
    assert end.naked_s() <= 15
    assert all(p.direction is Direction.LONG for p in end.positions)
