"""Our engine beside the published SMC library (`smartmoneyconcepts`, the bench extra), over the same 4h bars in the same run."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from trading_system.app.bench.engine_runs import SYMBOL, cpu_seconds
from trading_system.app.bench.generated_bars import all_timeframes, generate_quarters
from trading_system.app.bench.library_child import LIBRARY, RUNS
from trading_system.app.bench.readings import Outcome, Unmeasured, reading_of
from trading_system.domain.market import Bar, Timeframe
from trading_system.strategy.smc_engine import SmcStrategy

BARS: Final = 1_700
_DAYS: Final = BARS // 6 + 1
_TIMEOUT_S: Final = 300.0


def measure() -> dict[str, Outcome]:
    """Milliseconds CPU for all 4h bars that the daemon keeps of one market: ours bar by bar, the library in one go."""
    bars = all_timeframes(generate_quarters(77, _DAYS))[Timeframe.H4][-BARS:]
    ours = reading_of([cpu_seconds(lambda: _feed(bars)) * 1e3 for _ in range(RUNS)], f"{BARS} bars one by one: all events of every bar")
    return {"smc_same_bars_ms": ours, "smc_library_ms": _library(bars, ours.median)}


def _feed(bars: list[Bar]) -> None:
    strategy = SmcStrategy()
    for bar in bars:
        strategy.update(SYMBOL, Timeframe.H4, bar)


def _library(bars: list[Bar], ours_ms: float) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="ts-bench-") as folder:
        path = Path(folder) / "bars.json"
        path.write_text(json.dumps([list(bar[1:]) for bar in bars]), encoding="utf-8")
        command = [sys.executable, "-m", "trading_system.app.bench.library_child", str(path)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)  # noqa: S603
            facts = json.loads(done.stdout.splitlines()[-1])
        except (subprocess.SubprocessError, ValueError, IndexError) as error:
            return Unmeasured(f"the library did not get through: {error!r:.200}")
    return read_facts(facts, ours_ms)


def read_facts(facts: dict[str, object], ours_ms: float) -> Outcome:
    """The child's answer as a reading. Pure."""
    if "missing" in facts:
        return Unmeasured(f"{LIBRARY} is not installed ({facts['missing']}); pip install 'trading-system[bench]'")
    samples = facts.get("ms")
    if not isinstance(samples, list) or not samples:
        return Unmeasured(f"the library's process gave no times: {facts!r:.200}")
    reading = reading_of([float(ms) for ms in samples])
    note = (
        f"{LIBRARY} {facts.get('version')}: swings, breaks, order blocks, gaps, liquidity of the same {BARS} bars in one go, "
        f"{reading.median / ours_ms:.0f} x ours; it does so anew at each new bar, where ours takes {ours_ms / BARS * 1e3:.1f} us"
    )
    return reading_of([float(ms) for ms in samples], note)
