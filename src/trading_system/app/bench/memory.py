"""The whole daemon at 250 markets, and what candles and engines weigh of it.

`rss_mb_250` is a real daemon on an embedded exchange of 250 generated markets, which is a process of its own. `rss_mb_data` and
`loop_step_start_ms` come from a third process that loads and feeds as many markets with full windows (`crowded_start`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Final

from trading_system.app.bench.child import command_of
from trading_system.app.bench.daemon import PASSED_ON, lines_of, resident_mb, stop
from trading_system.app.bench.exchange_child import ExchangeChild, running_exchange
from trading_system.app.bench.readings import Outcome, Unmeasured, reading_of

MARKETS: Final = 250
CYCLES: Final = 3
DEADLINE_S: Final = 600.0
CROWD_S: Final = 600.0
_SPEED: Final = 20
"""Market seconds per real second: three cycles are nine seconds."""


def measure() -> dict[str, Outcome]:
    """Two or three minutes, most of them for generating histories."""
    return _crowd() | _daemon()


def _crowd() -> dict[str, Outcome]:
    keys = ("rss_mb_data", "loop_step_start_ms")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "trading_system.app.bench.crowded_start"], capture_output=True, text=True, timeout=CROWD_S, check=True
        )
        facts = json.loads(done.stdout.splitlines()[-1])
    except (subprocess.SubprocessError, ValueError, IndexError) as error:
        return dict.fromkeys(keys, Unmeasured(f"the loading process did not end well: {error!r:.200}"))
    note = f"longest turn of the loop: {facts['first_ms']:.0f} ms from the venue, {facts['again_ms']:.0f} ms from stored bars"
    return {
        "rss_mb_data": reading_of([facts["data_mb"]], f"{MARKETS} markets, every window full"),
        "loop_step_start_ms": reading_of([facts["first_ms"], facts["again_ms"]], note),
    }


def _daemon() -> dict[str, Outcome]:
    with tempfile.TemporaryDirectory(prefix="ts-bench-") as folder:
        place = Path(folder)
        (place / "exchange").mkdir()
        try:
            with running_exchange(place / "exchange", "--markets", str(MARKETS), "--speed", str(_SPEED)) as exchange:
                return {"rss_mb_250": _observe(place, exchange)}
        except RuntimeError as error:
            return {"rss_mb_250": Unmeasured(str(error))}


def _observe(folder: Path, exchange: ExchangeChild) -> Outcome:
    """Start the daemon there, read its memory after some cycles."""
    config = folder / "config.yaml"
    config.write_text(f"exchange: {{venue: sim, base_url: '{exchange.base_url}'}}\n", encoding="utf-8")
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | {"PYTHONUNBUFFERED": "1", "ENV": "local"}
    environment |= {"KRAKEN_FUTURES_API_KEY": exchange.key, "KRAKEN_FUTURES_API_SECRET": exchange.secret}
    begun = perf_counter()
    command = command_of("run", "-c", str(config), "--speed", str(_SPEED))
    child = subprocess.Popen(  # noqa: S603
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    cycles, universe, samples, last = 0, "?", [], ""
    try:
        for line in lines_of(child, begun + DEADLINE_S):
            last = line or last
            words = line.split()
            if "CYCLE_SUMMARY" not in words:
                continue
            cycles += 1
            universe = next((word.partition("=")[2] for word in words if word.startswith("universe=")), universe)
            if cycles >= CYCLES:
                samples.append(resident_mb(child.pid))
            if cycles >= CYCLES + 2:
                break
    finally:
        stop(child)
    if not samples:
        return Unmeasured(f"{cycles} of {CYCLES} cycles seen in {DEADLINE_S:g} s; last line: {last[:160]!r}")
    return reading_of(samples, f"universe of {universe} markets; the exchange is a process of its own")
