"""Between a signal and a candidate, through the running daemon: cooldown, quote, spread, basis, pauses, thin data; each by its name."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from fakes.daemon_rig import DaemonRig, run_rig
from trading_system.domain import log_events as ev
from trading_system.domain.errors import ReadFailed
from trading_system.domain.market import Bar, Ticker, Timeframe
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import Price

BTC, ETH = Symbol("BTC/USD"), Symbol("ETH/USD")
STEADY = {"PF_XBTUSD": {0: 100_000.0}, "PF_ETHUSD": {0: 3_000.0}}
D = Decimal
Requote = Callable[[Ticker], Ticker]


def lines(rig: DaemonRig, event: str) -> list[dict[str, Any]]:
    return [fields for name, fields in rig.log.lines if name == event]


def play(tmp_path: Path, scenario: Callable[[DaemonRig], Coroutine[Any, Any, None]], prices: dict[str, dict[int, float]] = STEADY) -> None:
    run_rig(lambda loop: DaemonRig(loop, tmp_path, prices, ()), scenario)


async def wish(rig: DaemonRig, symbol: Symbol = BTC) -> None:
    """From the next 15m bar on the strategy says LONG until it is acted on."""
    await rig.until(lambda: rig.live.is_warm and rig.live.cycle > 0, 300)
    rig.strategy.wanted.add(symbol)  # type: ignore[attr-defined]


def changed(**facts: Callable[[Ticker], object]) -> Requote:
    def requote(ticker: Ticker) -> Ticker:
        return replace(ticker, **{name: value(ticker) for name, value in facts.items()}) if ticker.symbol == BTC else ticker  # type: ignore[arg-type]

    return requote


def scaled(name: str, by: str) -> Callable[[Ticker], object]:
    return lambda ticker: Price(getattr(ticker, name) * D(by))


def test_a_wide_spread_rejects_the_signal_by_name_and_the_next_bar_may_enter(tmp_path: Path) -> None:
    async def scenario(rig: DaemonRig) -> None:
        await wish(rig)
        rig.requote = changed(bid=scaled("mark", "0.993"), ask=scaled("mark", "1.007"))
        await rig.until(lambda: bool(lines(rig, ev.SIGNAL_REJECTED_SPREAD)), 1_000)
        (rejected,) = lines(rig, ev.SIGNAL_REJECTED_SPREAD)
        assert (rejected["symbol"], rejected["reason"], rejected["limit"]) == (BTC, "SIGNAL_REJECTED_SPREAD", D("0.010"))
        assert D("0.0139") < rejected["actual"] < D("0.0141")
        assert rig.live.cooldowns.last_emitted(BTC) is None
        rig.requote = lambda ticker: ticker
        await rig.until(lambda: rig.qty() > 0, 1_000)

    play(tmp_path, scenario)


def test_an_index_far_from_the_mark_rejects_the_signal(tmp_path: Path) -> None:
    async def scenario(rig: DaemonRig) -> None:
        await wish(rig)
        rig.requote = changed(index=scaled("mark", "1.009"))
        await rig.until(lambda: bool(lines(rig, ev.SIGNAL_REJECTED)), 1_000)
        (rejected,) = lines(rig, ev.SIGNAL_REJECTED)
        assert (rejected["symbol"], rejected["reason"], rejected["limit"]) == (BTC, "INDEX_DEVIATION", D("0.0075"))
        assert rig.qty() == 0
        assert rig.live.cooldowns.last_emitted(BTC) is None

    play(tmp_path, scenario)


def test_a_quote_that_cannot_be_believed_sets_no_cooldown_and_the_same_bar_is_asked_again(tmp_path: Path) -> None:
    async def scenario(rig: DaemonRig) -> None:
        await wish(rig)
        rig.requote = changed(at=lambda ticker: ticker.at - timedelta(seconds=31))
        await rig.until(lambda: len(lines(rig, ev.QUOTE_REFUSED)) >= 2, 1_200)
        refused = lines(rig, ev.QUOTE_REFUSED)
        assert {(row["symbol"], row["reason"], row["fault"]) for row in refused} == {(BTC, "QUOTE_UNUSABLE", "stale")}
        assert len({row["position_id"] for row in refused}) == 1, "one bar, asked in every cycle"
        assert rig.live.cooldowns.last_emitted(BTC) is None
        rig.requote = lambda ticker: ticker
        await rig.until(lambda: rig.qty() > 0, 130)

    play(tmp_path, scenario)


def test_the_cooldown_of_four_hours_outlives_a_restart(tmp_path: Path) -> None:
    """A restart must not be a way round it."""

    async def scenario(rig: DaemonRig) -> None:
        await wish(rig)
        await rig.until(lambda: bool(lines(rig, ev.SIGNAL)), 1_000)
        emitted = rig.live.cooldowns.last_emitted(BTC)
        assert emitted is not None
        await rig.restart()
        assert rig.live.cooldowns.last_emitted(BTC) == emitted
        await wish(rig)
        await rig.clock.sleep(3_600)
        assert lines(rig, ev.CYCLE_SUMMARY)[-1]["cooldowns_active"] == 1
        assert len(lines(rig, ev.SIGNAL)) == 1
        left = emitted + timedelta(hours=4) - rig.clock.now()
        await rig.until(lambda: len(lines(rig, ev.SIGNAL)) == 2, left.total_seconds() + 1_000)
        assert rig.clock.now() >= emitted + timedelta(hours=4)

    play(tmp_path, scenario)


def test_losses_pause_their_symbol_and_their_kind_of_setup_by_name(tmp_path: Path) -> None:
    """One real loss, counted three times as one of ETH: ETH is paused for twelve hours, tight setups everywhere for two."""
    prices = {"PF_XBTUSD": {0: 100_000.0, 1_200: 97_000.0}, "PF_ETHUSD": {0: 3_000.0}, "PF_SOLUSD": {0: 10_000.0}}

    async def scenario(rig: DaemonRig) -> None:
        await wish(rig)
        await rig.until(lambda: bool(rig.live.positions.closed_trades()), 1_400)
        (trade,) = rig.live.positions.closed_trades()
        assert trade.position.net < 0
        for _ in range(3):
            rig.live.losses.note_closed(replace(trade.position, plan=replace(trade.position.plan, symbol=ETH)))
        rig.strategy.wanted |= {ETH, Symbol("SOL/USD")}  # type: ignore[attr-defined]
        await rig.until(lambda: len(refusals(rig)) >= 2, 1_000)
        assert refusals(rig) == {ETH: "SYMBOL_PAUSED", Symbol("SOL/USD"): "LOSS_STREAK"}
        assert rig.qty() == 0

    play(tmp_path, scenario, prices)


def refusals(rig: DaemonRig) -> dict[Symbol, str]:
    return {row["symbol"]: row["reason"] for row in lines(rig, ev.ENTRY_REFUSED)}


def test_entries_pause_while_too_few_markets_have_their_bars(tmp_path: Path) -> None:
    async def scenario(rig: DaemonRig) -> None:
        def without_eth(symbol: Symbol, timeframe: Timeframe, bars: tuple[Bar, ...]) -> tuple[Bar, ...]:
            if symbol == ETH:
                raise ReadFailed("candles of ETH")
            return bars

        rig.distort = without_eth
        await wish(rig)
        await rig.clock.sleep(1_900)
        thin = [row for row in lines(rig, ev.DATA_UNAVAILABLE) if row["what"] == "coverage"]
        assert (thin[-1]["ready"], thin[-1]["needed"], thin[-1]["universe"]) == (1, 2, 2)
        assert any(kind == "DATA_UNAVAILABLE" for kind, _ in rig.alerts.sent)
        assert (rig.qty(), lines(rig, ev.SIGNAL)) == (0, [])
        assert rig.live.decisions.last(BTC) is not None, "people are told of the market all the same"
        rig.distort = lambda symbol, timeframe, bars: bars
        await rig.until(lambda: rig.qty() > 0, 2_000)

    play(tmp_path, scenario)
