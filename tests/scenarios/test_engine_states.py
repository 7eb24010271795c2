"""The running daemon keeps its engines over a restart, and drops those of markets that are gone."""

from __future__ import annotations

from pathlib import Path

from fakes.daemon_rig import DaemonRig, run_rig
from fakes.scripted_market import START_MS
from trading_system.config.settings import Settings
from trading_system.domain import log_events as ev
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.symbols import Symbol
from trading_system.sim.words import MarketMode
from trading_system.strategy.smc_engine import SmcStrategy
from trading_system.wiring.strategies import maker_of

BTC, ETH = Symbol("BTC/USD"), Symbol("ETH/USD")
M15 = Timeframe.M15
STEADY = {"PF_XBTUSD": {0: 100_000.0}, "PF_ETHUSD": {0: 3_000.0}}


def lines(rig: DaemonRig, event: str) -> list[dict[str, object]]:
    return [fields for name, fields in rig.log.lines if name == event]


def smc_rig(loop: object, folder: Path) -> DaemonRig:
    rig = DaemonRig(loop, folder, STEADY, ())  # type: ignore[arg-type]
    rig.live.strategy = rig.strategy = SmcStrategy()
    return rig


def states(rig: DaemonRig) -> dict[Symbol, tuple[bytes, bytes]]:
    strategy = rig.live.strategy
    assert isinstance(strategy, SmcStrategy)
    return {symbol: (strategy.snapshot(symbol), rig.live.volatility.snapshot(symbol)) for symbol in (BTC, ETH)}


async def restarted(rig: DaemonRig) -> None:
    """A new process with a strategy object of its own."""
    rig.strategy = SmcStrategy()
    await rig.restart()
    await rig.until(lambda: rig.live.is_warm and rig.live.cycle > 0, 300)


def test_a_restart_goes_on_from_the_kept_states_and_says_so(tmp_path: Path) -> None:
    async def scenario(rig: DaemonRig) -> None:
        rig.live.engines.maker = maker_of_rig(rig)
        await rig.until(lambda: rig.live.is_warm and rig.live.cycle > 0, 300)
        assert lines(rig, ev.ENGINE_COLD) == [{"why": "no state was kept", "engines": 2, "symbols": [BTC, ETH]}]
        await rig.clock.sleep(7_300)
        before = states(rig)
        rig.log.lines.clear()
        await restarted(rig)
        assert lines(rig, ev.ENGINES_WARM) == [{"restored": 2, "cold": 0, "bars_fed": 0}]
        assert lines(rig, ev.ENGINE_COLD) == []
        assert states(rig) == before

    run_rig(lambda loop: smc_rig(loop, tmp_path), scenario)


def maker_of_rig(rig: DaemonRig) -> str:
    """The rig is built with another strategy than it runs first; the processes after it are built with the one they run."""
    return maker_of(Settings(), rig.strategy)


def test_a_process_that_was_killed_goes_on_from_what_was_kept_now_and_then(tmp_path: Path) -> None:
    """Killed: nothing is saved at the end, so the states are up to fifteen cycles old and the later bars are fed after them."""

    async def scenario(rig: DaemonRig) -> None:
        rig.live.engines.maker = maker_of_rig(rig)
        await rig.until(lambda: rig.live.is_warm and rig.live.cycle > 0, 300)
        await rig.until(lambda: rig.live.cycle > 80, 80 * 61)
        before = states(rig)
        rig.live.is_warm = False  # the stop of this process keeps nothing
        rig.log.lines.clear()
        await restarted(rig)
        assert lines(rig, ev.ENGINES_WARM)[0]["restored"] == 2
        assert lines(rig, ev.ENGINE_COLD) == []
        assert states(rig) == before

    run_rig(lambda loop: smc_rig(loop, tmp_path), scenario)


def test_a_bar_that_was_corrected_while_it_was_down_is_a_warm_up_from_bars(tmp_path: Path) -> None:
    def corrected(symbol: Symbol, timeframe: Timeframe, bars: tuple[Bar, ...]) -> tuple[Bar, ...]:
        if symbol != BTC or timeframe is not M15:
            return bars
        return tuple(bar._replace(high=bar.high + 50.0) if bar.open_ms == START_MS else bar for bar in bars)

    async def scenario(rig: DaemonRig) -> None:
        rig.live.engines.maker = maker_of_rig(rig)
        await rig.until(lambda: rig.live.is_warm and rig.live.cycle > 0, 300)
        await rig.clock.sleep(3_700)
        rig.log.lines.clear()
        rig.distort = corrected
        await restarted(rig)
        (cold,) = lines(rig, ev.ENGINE_COLD)
        assert cold["symbols"] == [BTC]
        assert cold["why"] == "15m bars are not those it has seen: one of its last bars differs"
        assert lines(rig, ev.ENGINES_WARM)[0]["restored"] == 1

    run_rig(lambda loop: smc_rig(loop, tmp_path), scenario)


def test_a_delisted_market_is_forgotten_and_a_suspended_one_that_is_held_is_not(tmp_path: Path) -> None:
    """Both leave the universe at the next discovery; what is held keeps its bars, its volatility and its stop."""

    async def scenario(rig: DaemonRig) -> None:
        await rig.until(lambda: rig.live.is_warm and rig.qty() > 0 and bool(rig.orders("stop")), 300)
        live = rig.live
        assert [position.symbol for position in live.positions.active()] == [BTC]
        rig.exchange.set_mode("PF_ETHUSD", MarketMode.DELISTED)
        rig.exchange.set_mode("PF_XBTUSD", MarketMode.SUSPENDED)
        await live.discover()
        assert {(row["symbol"], row["reason"]) for row in lines(rig, ev.SYMBOL_REMOVED)} == {(BTC, "suspended"), (ETH, "delisted")}
        await rig.clock.sleep(180)

        assert live.markets.eligible() == ()
        assert live.candles.is_loaded(BTC)
        assert live.volatility.atr_4h(BTC) is not None
        assert live.decisions.last(BTC) is not None
        assert len(rig.orders("stop")) == 1
        assert not live.candles.is_loaded(ETH)
        assert live.candles.series(ETH, M15) is None
        assert live.volatility.atr_4h(ETH) is None
        assert live.decisions.last(ETH) is None
        assert ETH not in rig.strategy._last  # type: ignore[attr-defined]

    run_rig(lambda loop: DaemonRig(loop, tmp_path, STEADY, ["PF_XBTUSD"]), scenario)
