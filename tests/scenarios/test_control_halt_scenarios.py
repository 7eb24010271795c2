"""Halts and resumes with positions open, through the running daemon: what goes, what stays, what survives a restart."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fakes.daemon_rig import DaemonRig, run_rig
from fakes.scripted_market import START_MS
from trading_system.domain import events as je
from trading_system.domain.modes import Mode
from trading_system.domain.symbols import normalise
from trading_system.domain.units import from_ms
from trading_system.live.losses import LOSS_STATE_KEY
from trading_system.risk.loss_limits import start_tracking
from trading_system.risk.loss_state import EquityReading, encode_loss_state
from trading_system.wiring.control_protocol import (
    FlattenOrder,
    HaltOrder,
    PlaceStopsOrder,
    PositionsQuery,
    ResumeOrder,
    StatusQuery,
    UniverseQuery,
    WhyQuery,
)

BTC, ETH, SOL = "PF_XBTUSD", "PF_ETHUSD", "PF_SOLUSD"
FLAT: Mapping[str, Mapping[int, float]] = {BTC: {0: 80_000.0}, ETH: {0: 4_000.0}, SOL: {0: 200.0}}
Play = Callable[[Callable[[DaemonRig], Coroutine[Any, Any, None]]], None]


def ramp(base: float, begin_s: int, end_s: int, to: float) -> dict[int, float]:
    """A price that goes from `base` to `to` in steps of a second: no step is an outlier."""
    steps = end_s - begin_s
    return {0: base} | {begin_s + n: base + (to - base) * n / steps for n in range(1, steps + 1)}


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Two long positions on three flat markets."""

    def run(scenario: Callable[[DaemonRig], Coroutine[Any, Any, None]]) -> None:
        run_rig(lambda loop: DaemonRig(loop, tmp_path, FLAT, [BTC, ETH]), scenario)

    return run


async def two_protected_positions(rig: DaemonRig) -> None:
    await rig.until(lambda: len(rig.orders("stop")) == 2 and len(rig.orders("take_profit")) == 4, within_s=200)


def touch_kill_file(rig: DaemonRig) -> None:
    (rig.data_dir / "KILL_SWITCH").touch()


def test_the_kill_switch_file_takes_entries_and_take_profits_within_five_seconds_and_leaves_every_stop(play: Play) -> None:
    async def scenario(rig: DaemonRig) -> None:
        await two_protected_positions(rig)
        stops = {order.order_id for order in rig.orders("stop")}
        held = rig.qty()

        touch_kill_file(rig)
        took_s = await rig.until(lambda: not rig.orders("take_profit") and not rig.orders("entry"), within_s=5)

        assert took_s <= 5
        assert {order.order_id for order in rig.orders("stop")} == stops
        assert rig.live.monitor.mode is Mode.KILL_SWITCH
        await rig.clock.sleep(300)
        assert {order.order_id for order in rig.orders("stop")} == stops
        assert (rig.orders("take_profit"), rig.orders("entry"), rig.qty()) == ((), (), held)
        assert rig.log.counts["KILL SWITCH ACTIVATED"] == 1
        assert ("Kill switch: Order cleanup complete", {"preserved_stop_losses": 2}) in rig.log.lines
        assert [kind for kind, _ in rig.alerts.sent].count("KILL_SWITCH") == 1
        assert rig.live.monitor.kill_record is not None
        assert rig.live.monitor.kill_record.cleanup_done

    play(scenario)


def test_a_halted_daemon_opens_nothing_even_when_a_signal_comes(play: Play) -> None:
    async def scenario(rig: DaemonRig) -> None:
        await two_protected_positions(rig)
        await rig.tell(HaltOrder("drill"))
        rig.strategy.wanted.add(normalise(SOL))

        await rig.clock.sleep(2000)

        assert len(rig.exchange.positions()) == 2
        assert rig.orders("entry") == ()

    play(scenario)


def test_positions_are_managed_while_halted_a_lost_stop_is_placed_again(play: Play) -> None:
    async def scenario(rig: DaemonRig) -> None:
        await two_protected_positions(rig)
        await rig.tell(HaltOrder("drill"))
        lost = rig.orders("stop")[0]

        by_hand(rig, lost.order_id)
        took_s = await rig.until(lambda: len(rig.orders("stop")) == 2, within_s=30)

        assert took_s <= 15
        assert rig.orders("take_profit") == ()

    play(scenario)


def by_hand(rig: DaemonRig, order_id: str) -> None:
    """A human cancels an order at the venue."""
    from trading_system.sim.model import CancelRequest

    rig.exchange.cancel(CancelRequest(order_id=order_id))


def test_a_halted_daemon_moves_the_stop_toward_profit(tmp_path: Path) -> None:
    prices = {BTC: ramp(80_000.0, 400, 1000, 85_000.0)}

    async def scenario(rig: DaemonRig) -> None:
        await rig.until(lambda: len(rig.orders("take_profit")) == 2, within_s=200)
        await rig.tell(HaltOrder("drill"))
        planned = rig.orders("stop")[0].stop_price
        triggers = set()
        while rig.clock.monotonic() < 1300:
            await rig.clock.sleep(1)
            triggers.add(rig.orders("stop")[0].stop_price)

        ordered = sorted(trigger for trigger in triggers if trigger is not None)
        assert planned is not None
        assert ordered[0] == planned
        # break-even first, then behind the price
        assert ordered[-1] > 82_000
        assert len(ordered) > 3
        assert (rig.orders("take_profit"), len(rig.exchange.positions())) == ((), 1)

    run_rig(lambda loop: DaemonRig(loop, tmp_path, prices, [BTC]), scenario)


def take_profits_sent(rig: DaemonRig) -> int:
    return sum(event.order.purpose.is_take_profit for event in rig.events(je.OrderIntended))


def test_a_halt_survives_a_restart_and_takes_no_stop_with_it(play: Play) -> None:
    async def scenario(rig: DaemonRig) -> None:
        await two_protected_positions(rig)
        touch_kill_file(rig)
        await rig.until(lambda: not rig.orders("take_profit"), within_s=5)
        stops = {order.order_id for order in rig.orders("stop")}
        (rig.data_dir / "KILL_SWITCH").unlink()
        sent_before = take_profits_sent(rig)

        await rig.restart()
        seen: list[int] = []
        for _ in range(300):
            await rig.clock.sleep(1)
            seen.append(len(rig.orders("take_profit")) + len(rig.orders("entry")))

        assert rig.live.monitor.mode is Mode.KILL_SWITCH
        assert set(seen) == {0}
        assert take_profits_sent(rig) == sent_before
        assert {order.order_id for order in rig.orders("stop")} == stops
        assert len(rig.live.positions.held()) == 2

    play(scenario)


def test_a_kill_switch_outlives_a_restart_with_an_unreadable_halt_file_beside_it(play: Play) -> None:
    """The damaged file halted first, and the halt wrote the kill switch's own record away: a restart made it a milder halt."""

    async def scenario(rig: DaemonRig) -> None:
        await two_protected_positions(rig)
        await rig.tell(HaltOrder("stop everything"))
        assert rig.live.monitor.mode is Mode.KILL_SWITCH
        await rig.stop_daemon()
        (rig.data_dir / "halt_state.json").write_text('{"mode": "nor')
        rig.disk = rig.disk.crash()
        rig._boot()
        await rig.until(lambda: rig.live.cycle >= 2, within_s=300)
        assert rig.live.monitor.mode is Mode.KILL_SWITCH
        assert "stop everything" in (rig.live.monitor.state.halt.reason if rig.live.monitor.state.halt else "")
        assert len(rig.orders("stop")) == 2
        assert (await rig.tell(ResumeOrder("looked at the files"))).is_ok
        assert rig.live.monitor.mode is Mode.NORMAL

    play(scenario)


def test_resume_needs_a_reason_and_no_file_and_then_take_profits_come_back(play: Play) -> None:
    async def scenario(rig: DaemonRig) -> None:
        await two_protected_positions(rig)
        touch_kill_file(rig)
        await rig.until(lambda: not rig.orders("take_profit"), within_s=5)

        with_file = await rig.tell(ResumeOrder("looked at it"))
        (rig.data_dir / "KILL_SWITCH").unlink()
        await rig.clock.sleep(10)
        without_reason = await rig.tell(ResumeOrder("  "))
        assert "KILL_SWITCH still exists" in with_file.error
        assert "a reason is required" in without_reason.error
        assert rig.live.monitor.mode is Mode.KILL_SWITCH

        done = await rig.tell(ResumeOrder("looked at it"))

        assert (done.error, done.facts["state"], done.facts["entries_off"]) == ("", "NORMAL", [])
        await rig.until(lambda: len(rig.orders("take_profit")) == 4, within_s=70)
        notes = [event for event in rig.events(je.DecisionNoted) if event.kind == "operator_resume"]
        assert len(notes) == 1
        assert "looked at it" in notes[0].text
        assert "operator" in notes[0].text

    play(scenario)


def test_a_resumed_daemon_stays_resumed_after_a_restart(play: Play) -> None:
    async def scenario(rig: DaemonRig) -> None:
        await two_protected_positions(rig)
        await rig.tell(HaltOrder("drill"))
        await rig.tell(ResumeOrder("drill over"))

        await rig.restart()
        await rig.until(lambda: rig.live.cycle >= 2, within_s=200)

        assert rig.live.monitor.mode is Mode.NORMAL

    play(scenario)


def test_a_running_system_has_nothing_to_resume(play: Play) -> None:
    async def scenario(rig: DaemonRig) -> None:
        await two_protected_positions(rig)

        assert "nothing to resume" in (await rig.tell(ResumeOrder("just in case"))).error

    play(scenario)


def test_a_halt_is_in_the_journal_before_it_acts(play: Play) -> None:
    async def scenario(rig: DaemonRig) -> None:
        await two_protected_positions(rig)
        await rig.tell(HaltOrder("drill"))

        kinds = [type(event).__name__ for event in rig.events(je.DecisionNoted | je.CancelRequested)]  # type: ignore[arg-type]

        assert kinds[0] == "DecisionNoted"
        assert kinds.count("CancelRequested") == 4

    play(scenario)


def test_flatten_wants_its_words_exactly_and_then_closes_everything_reduce_only(play: Play) -> None:
    async def scenario(rig: DaemonRig) -> None:
        await two_protected_positions(rig)
        asked = await rig.tell(FlattenOrder())
        refused = await rig.tell(FlattenOrder("flatten 2 positions"))
        assert asked.facts["confirmation"] == "FLATTEN 2 POSITIONS"
        assert "type exactly FLATTEN 2 POSITIONS" in refused.error
        assert rig.qty() > 0

        done = await rig.tell(FlattenOrder("FLATTEN 2 POSITIONS"))

        assert (done.error, len(done.facts["closing"]), done.facts["not_closed"]) == ("", 2, [])
        await rig.until(lambda: rig.qty() == 0, within_s=30)
        await rig.until(lambda: not rig.exchange.open_orders(), within_s=120)
        assert {trade.reason.value for trade in rig.live.positions.closed_trades()} == {"operator"}
        assert rig.live.monitor.mode is Mode.KILL_SWITCH
        assert len([e for e in rig.events(je.DestructiveActionJustified) if e.action == "flatten"]) == 1

    play(scenario)


def test_place_missing_stops_finds_none_while_the_daemon_does_its_work(play: Play) -> None:
    async def scenario(rig: DaemonRig) -> None:
        await two_protected_positions(rig)

        answer = await rig.tell(PlaceStopsOrder(dry_run=False))

        assert (answer.facts["held"], answer.facts["missing"]) == (2, [])

    play(scenario)


def test_questions_are_answered_with_the_figures_of_now(play: Play) -> None:
    async def scenario(rig: DaemonRig) -> None:
        await two_protected_positions(rig)
        await rig.until(lambda: rig.live.cycle >= 3, within_s=200)
        status = (await rig.tell(StatusQuery())).facts
        positions = (await rig.tell(PositionsQuery())).facts["positions"]
        why = (await rig.tell(WhyQuery("sol"))).facts
        everything = (await rig.tell(WhyQuery())).facts
        universe = (await rig.tell(UniverseQuery())).facts

        assert (status["state"], status["positions"], status["unprotected"], status["entries_off"]) == ("NORMAL", 2, 0, [])
        assert status["equity_usd"] is not None
        assert {row["symbol"] for row in positions} == {"BTC/USD", "ETH/USD"}
        assert {tp["state"] for row in positions for tp in row["take_profits"]} == {"resting"}
        assert all(row["stop_resting"] == row["stop_wanted"] and row["unprotected_qty"] == "0" for row in positions)
        assert why["ladder"]["blocking"]["name"] == "wanted"
        assert "SOL/USD" in [market["symbol"] for market in everything["markets"]]
        assert (await rig.tell(WhyQuery("NOPE"))).error == "the venue offers no market NOPE/USD"
        assert universe["eligible"] == 3

    play(scenario)


def a_past_with_high_water(equity: str) -> tuple[je.JournalEvent, ...]:
    """A journal that saw a higher equity before the start."""
    at = from_ms(START_MS)
    state = start_tracking(EquityReading(at, Decimal(10_000), Decimal(10_000), Decimal(0)))
    state = replace(state, high_water=replace(state.high_water, equity=Decimal(equity)))
    return (je.SessionStarted(at, "paper", "sim", "test", "0", "hash", 1), je.StateNoted(at, LOSS_STATE_KEY, encode_loss_state(state)))


def test_a_drawdown_halts_and_only_a_rebase_with_a_reason_lifts_it(tmp_path: Path) -> None:
    async def scenario(rig: DaemonRig) -> None:
        await rig.until(lambda: rig.live.monitor.mode is Mode.KILL_SWITCH, within_s=120)

        plain = await rig.tell(ResumeOrder("I accept the loss"))
        done = await rig.tell(ResumeOrder("I accept the loss", rebase_high_water=True))

        assert "--rebase-high-water" in plain.error
        assert (done.error, done.facts["state"]) == ("", "NORMAL")
        await rig.clock.sleep(300)
        assert (await rig.tell(StatusQuery())).facts["drawdown"] == "0"
        await rig.restart()
        await rig.until(lambda: rig.live.cycle >= 2, within_s=200)
        assert rig.live.monitor.mode is Mode.NORMAL

    run_rig(lambda loop: DaemonRig(loop, tmp_path, FLAT, [], past=a_past_with_high_water("12000")), scenario)


def test_an_unexplained_balance_step_waits_for_a_human_to_say_what_it_was(tmp_path: Path) -> None:
    async def scenario(rig: DaemonRig) -> None:
        await rig.until(lambda: rig.live.cycle >= 1, within_s=120)
        rig.hide_flows = True
        rig.exchange.deposit(Decimal(2_000))
        await rig.until(lambda: rig.live.monitor.mode is Mode.DEGRADED, within_s=400)

        unexplained = await rig.tell(ResumeOrder("no idea"))
        assert unexplained.facts["state"] == "DEGRADED"
        explained = await rig.tell(ResumeOrder("that was me", step_was="flow"))

        assert (explained.error, explained.facts["state"]) == ("", "NORMAL")
        await rig.clock.sleep(300)
        status = (await rig.tell(StatusQuery())).facts
        assert (status["state"], Decimal(status["day_pnl_usd"])) == ("NORMAL", 0)

    run_rig(lambda loop: DaemonRig(loop, tmp_path, FLAT, []), scenario)


def test_a_tripped_entry_breaker_is_told_shown_and_reset_by_a_resume_without_a_restart(play: Play) -> None:
    async def scenario(rig: DaemonRig) -> None:
        await two_protected_positions(rig)
        rig.control.entry_rate_tripped = True
        await rig.until(lambda: rig.live.monitor.mode is Mode.DEGRADED, within_s=70)
        status = await rig.tell(StatusQuery())

        await rig.clock.sleep(200)
        assert rig.live.monitor.mode is Mode.DEGRADED, "it waits for a human"
        resumed = await rig.tell(ResumeOrder("looked at the orders"))

        assert [kind for kind, _ in rig.alerts.sent].count("CIRCUIT_BREAKER") == 1
        assert status.facts["is_entry_breaker_tripped"]
        assert any("resume" in why and "breaker" in why for why in status.facts["entries_off"])
        assert (resumed.error, resumed.facts["state"], resumed.facts["entries_off"]) == ("", "NORMAL", [])
        await rig.clock.sleep(200)
        assert rig.live.monitor.mode is Mode.NORMAL

    play(scenario)


def test_a_breaker_that_tripped_since_the_last_cycle_can_be_reset_at_once(play: Play) -> None:
    async def scenario(rig: DaemonRig) -> None:
        await two_protected_positions(rig)
        rig.control.entry_rate_tripped = True

        resumed = await rig.tell(ResumeOrder("looked at the orders"))

        assert (resumed.error, resumed.facts["state"]) == ("", "NORMAL")
        assert not rig.control.is_entry_rate_tripped()

    play(scenario)
