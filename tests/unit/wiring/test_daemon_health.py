"""What machines are told of a running daemon: figures, readiness, and the service manager's words, all from real progress."""

from __future__ import annotations

import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from fakes.daemon_rig import DaemonRig, run_rig
from trading_system.monitoring.metrics import Metrics
from trading_system.monitoring.sdnotify import SystemdNotifier
from trading_system.wiring.control_protocol import HaltOrder
from trading_system.wiring.health import DaemonHealth
from trading_system.wiring.supervisor import OnDeath

BTC = "PF_XBTUSD"


class Manager:
    """A service manager that listens."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(self.path))

    def heard(self) -> list[str]:
        lines: list[str] = []
        while True:
            try:
                lines += self._socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return lines

    def close(self) -> None:
        self._socket.close()


class Watched:
    """A rig whose daemon is watched from before its start."""

    def __init__(self, rig: DaemonRig, manager: Manager) -> None:
        self.rig, self.manager = rig, manager
        self.metrics = Metrics(version="1", venue="sim", mode="paper")
        environment = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "20000000"}
        self.health = DaemonHealth(rig.daemon, self.metrics, SystemdNotifier(environment))
        rig.daemon.watchers.append(self.health)
        rig.daemon.supervisor.start("metrics", self.health.watch)
        rig.daemon.supervisor.start("watchdog", self.health.feed_watchdog, OnDeath.IGNORE)

    def figure(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"trading_system_{name}", labels)


Watch = Callable[[Callable[[Watched], Coroutine[Any, Any, None]]], None]


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    def run(scenario: Callable[[Watched], Coroutine[Any, Any, None]]) -> None:
        manager = Manager(tmp_path)

        async def watched(rig: DaemonRig) -> None:
            await scenario(Watched(rig, manager))

        run_rig(lambda loop: DaemonRig(loop, tmp_path, {BTC: {0: 80_000.0}}, [BTC]), watched)
        manager.close()

    return run


def test_the_figures_follow_the_daemon(watch: Watch) -> None:
    async def scenario(seen: Watched) -> None:
        rig = seen.rig
        assert not seen.health.readiness().is_ok
        await rig.until(lambda: rig.live.cycle >= 3, within_s=300)
        await rig.clock.sleep(1)

        assert (seen.figure("positions"), seen.figure("state", state="NORMAL")) == (1, 1)
        assert seen.figure("cycles_total", outcome="ok") == rig.live.cycle
        assert 9_000 < (seen.figure("equity_usd") or 0) < 10_001
        assert 0 < (seen.figure("open_risk_ratio") or 0) < 0.02
        assert (seen.figure("universe_markets", tier="A"), seen.figure("naked_seconds")) == (1, 0)
        assert seen.health.health().is_ok
        assert seen.health.readiness().reasons == ("mode NORMAL",)

        await rig.tell(HaltOrder("drill"))
        await rig.clock.sleep(2)
        assert (seen.figure("state", state="KILL_SWITCH"), seen.figure("state", state="NORMAL")) == (1, 0)

    watch(scenario)


def test_journal_events_are_counted_by_purpose_and_outcome(watch: Watch) -> None:
    async def scenario(seen: Watched) -> None:
        rig = seen.rig
        story = rig.live.journal.observer
        assert story is not None
        rig.live.journal.observer = lambda event: (story(event), seen.health.note_event(event))[1]
        await rig.until(lambda: len(rig.orders("take_profit")) == 2, within_s=200)

        assert {p: seen.figure("orders_total", purpose=p, outcome="placed") for p in ("en", "sl", "tp1", "tp2")} == dict.fromkeys(
            ("en", "sl", "tp1", "tp2"), 1
        )
        assert seen.figure("fill_to_stop_seconds_count") == 1
        assert seen.figure("order_latency_seconds_count") == 4
        assert seen.figure("signals_total", regime="tight_smc") == 1

    watch(scenario)


def test_the_service_manager_hears_ready_at_once_then_status_and_pings_and_stopping(watch: Watch) -> None:
    async def scenario(seen: Watched) -> None:
        heard: list[str] = []
        for _ in range(20):
            await seen.rig.clock.sleep(10)
            heard += seen.manager.heard()

        assert heard[0] == "READY=1"
        assert any(line.startswith("STATUS=READY in") for line in heard)
        assert any(line.startswith("STATUS=NORMAL, 1 positions") for line in heard)
        # half of the watchdog's time is ten seconds
        assert 19 <= heard.count("WATCHDOG=1") <= 21
        await seen.rig.stop_daemon()
        assert "STOPPING=1" in seen.manager.heard()

    watch(scenario)


def test_an_outage_of_the_venue_at_the_start_is_ready_and_alive_and_a_hung_loop_is_not(watch: Watch) -> None:
    async def scenario(seen: Watched) -> None:
        rig = seen.rig
        rig.venue_down = True
        await rig.clock.sleep(60)
        assert "READY=1" in seen.manager.heard()
        await rig.clock.sleep(600)
        assert seen.health.health().is_ok
        assert not seen.health.readiness().is_ok
        rig.venue_down = False
        await rig.until(lambda: rig.live.cycle >= 1, within_s=200)

        released = rig.hang()
        await rig.clock.sleep(40)
        assert not seen.health.health().is_ok
        seen.manager.heard()
        await rig.clock.sleep(60)
        assert seen.manager.heard().count("WATCHDOG=1") == 0
        released.set()

    watch(scenario)
