"""What people are told of markets goes on while nothing may be opened, over restarts, and with the daemon down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fakes.daemon_rig import DaemonRig, run_rig
from trading_system.app.cli import main
from trading_system.domain import log_events as ev
from trading_system.domain.modes import Mode
from trading_system.domain.symbols import Symbol
from trading_system.storage.records import DECISION_TRACE, decode_payload, encode_payload
from trading_system.wiring.control_protocol import HaltOrder, ResumeOrder, WhyQuery
from trading_system.wiring.ladder_report import read_gate_days

BTC, ETH = Symbol("BTC/USD"), Symbol("ETH/USD")
STEADY = {"PF_XBTUSD": {0: 100_000.0}, "PF_ETHUSD": {0: 3_000.0}}
DAY = "2026-09-07"


def lines(rig: DaemonRig, event: str) -> list[dict[str, object]]:
    return [fields for name, fields in rig.log.lines if name == event]


def test_why_does_not_go_stale_while_entries_are_off_and_nothing_is_opened(tmp_path: Path) -> None:
    """The ladder stood still at the halt: nobody saw what the markets did meanwhile."""

    async def scenario(rig: DaemonRig) -> None:
        await rig.until(lambda: rig.live.is_warm and rig.live.cycle > 0, 300)
        await rig.tell(HaltOrder("a look at things"))
        first = (await rig.tell(WhyQuery("BTC"))).facts["ladder"]["judged_at"]
        rig.strategy.wanted.add(BTC)  # type: ignore[attr-defined]
        await rig.clock.sleep(2_000)

        ladder = (await rig.tell(WhyQuery("BTC"))).facts["ladder"]
        assert (ladder["judged_at"] > first, ladder["outcome"]) == (True, "SIGNAL")
        assert rig.qty() == 0
        assert lines(rig, ev.SIGNAL) == []
        assert (await rig.tell(ResumeOrder("looked"))).is_ok
        assert rig.live.monitor.mode is Mode.NORMAL
        await rig.until(lambda: rig.qty() > 0, 130)  # the newest bar is judged once more, now to act on it

    run_rig(lambda loop: DaemonRig(loop, tmp_path, STEADY, ()), scenario)


def test_the_histogram_counts_each_bar_once_over_a_restart_and_can_be_asked_without_a_daemon(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def scenario(rig: DaemonRig) -> None:
        await rig.until(lambda: rig.live.is_warm and rig.live.cycle > 0, 300)
        await rig.clock.sleep(1_900)
        await rig.restart()
        await rig.until(lambda: rig.live.is_warm and rig.live.cycle > 1, 300)

    run_rig(lambda loop: DaemonRig(loop, tmp_path, STEADY, ()), scenario)

    # the bar before the start, and two more, of two markets
    (day,) = read_gate_days(tmp_path, 7)["days"]
    assert (day["day"], day["judged"], day["signals"]) == (DAY, 6, 0)
    assert day["top"] == {"gate": "wanted", "reason": "NOT_WANTED", "stopped": 6, "reached": 6, "share": 1.0, "of_all": 1.0}

    assert main(["why", "--histogram", "--data-dir", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert f"{DAY}: 6 judgements, 0 signals; most often stopped by wanted (NOT_WANTED)" in said
    assert main(["why", "--histogram", "--json", "--days", "1", "--data-dir", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["days"] == [day]
    assert main(["why", "--histogram", "--days", "0", "--data-dir", str(tmp_path)]) == 2
    assert main(["why", "BTC", "--histogram", "--data-dir", str(tmp_path)]) == 2


def test_a_collapsed_list_at_a_restart_keeps_the_universe_of_the_process_before(tmp_path: Path) -> None:
    prices = {f"PF_C{number}USD": {0: 10_000.0} for number in range(12)}

    async def scenario(rig: DaemonRig) -> None:
        await rig.until(lambda: rig.live.is_warm and rig.live.cycle > 0, 300)
        assert len(rig.live.markets.eligible()) == 12
        rig.log.lines.clear()
        rig.listed = ("C0/USD", "C1/USD")
        await rig.restart()
        await rig.until(lambda: rig.live.is_warm and rig.live.cycle > 0, 300)
        assert lines(rig, ev.UNIVERSE_SHRINK_REJECTED) == [{"last": 12, "found": 2}]
        assert len(rig.live.markets.eligible()) == 12
        assert ("UNIVERSE_SHRINK", "Discovery found 2 markets, last time 12; old one kept") in rig.alerts.sent
        rig.listed = None
        await rig.until(lambda: bool(lines(rig, ev.UNIVERSE_DISCOVERED)), 400)

    run_rig(lambda loop: DaemonRig(loop, tmp_path, prices, ()), scenario)


def test_a_recorded_judgement_names_its_facts_when_it_is_new_and_when_it_says_the_same_again(tmp_path: Path) -> None:
    """The ladder became a tuple for speed, and its record a list of bare values that nobody could read a year later."""

    async def scenario(rig: DaemonRig) -> None:
        await rig.until(lambda: rig.live.is_warm and rig.live.cycle > 0, 300)
        await rig.clock.sleep(1_000)
        told = [decode_payload(encode_payload(payload)) for kind, _, payload in rig.history.rows if kind == DECISION_TRACE]
        first, again, *_ = [row for row in told if row["symbol"] == BTC]
        gate = {"name": "wanted", "state": "failed", "required": "asked for by the test", "actual": None, "distance": None}
        assert first["ladder"]["price"] == again["price"]
        assert first["ladder"]["gates"] == [{**gate, "reason_code": None}]
        assert again["blocking"] == {**gate, "reason_code": None}
        assert "ladder" not in again

    run_rig(lambda loop: DaemonRig(loop, tmp_path, STEADY, ()), scenario)
