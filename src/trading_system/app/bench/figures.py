"""The list of figures: what each one means, its unit, the bound it must keep, and which measurement gives it.

Importing this costs nothing: a measurement is imported when it runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Final, Protocol

from trading_system.app.bench.readings import Outcome


@dataclass(frozen=True, slots=True)
class Figure:
    """One row. `module` is the measurement's, in this package. `limit` and `least` are in `unit`, None = there is no fixed bound."""

    key: str
    unit: str
    meaning: str
    module: str
    limit: float | None = None
    """The most that is right."""
    least: float | None = None
    """The least that is right."""
    digits: int = 3
    is_extra: bool = False
    """Shown in the table; in the JSON object only inside `notes`."""

    @property
    def bound(self) -> str:
        """The bound in signs; empty when there is none."""
        if self.limit is not None:
            return f"<= {self.limit:g}"
        return "" if self.least is None else f">= {self.least:g}"

    def breach(self, value: float) -> str:
        """ABOVE or BELOW when `value` is out of bounds, else empty."""
        if self.limit is not None and value > self.limit:
            return "ABOVE"
        return "BELOW" if self.least is not None and value < self.least else ""


FIGURES: Final[tuple[Figure, ...]] = (
    Figure("smc_us_per_bar", "us CPU", "signal engine per closed bar and series, judging included", "smc", digits=2),
    Figure("smc_decide_us", "us CPU", "  of that: one judgement of a 15m bar", "smc", digits=2, is_extra=True),
    Figure("smc_1000_series_ms", "ms CPU", "250 coins x 4 timeframes, one bar each, judged", "smc", digits=1),
    Figure("smc_growth_ratio", "x", "time for 100,000 bars / time for 10,000 (linear = 10)", "smc", digits=2),
    Figure("smc_same_bars_ms", "ms CPU", "our structure over all kept 4h bars of one market, bar by bar", "smc_library", digits=2),
    Figure("smc_library_ms", "ms CPU", "the published SMC library over the same bars, in one go", "smc_library", digits=1),
    Figure("ready_s", "s", "process start to READY", "daemon", limit=60, digits=2),
    Figure("protecting_s", "s", "process start to the protection loop running", "daemon", limit=90, digits=2),
    Figure("help_cpu_s", "s CPU", "run.py --help, user + system", "verbs_cpu", limit=0.3),
    Figure("status_cpu_s", "s CPU", "run.py status where no daemon runs, user + system", "verbs_cpu", limit=0.3),
    Figure("intent_p50_ms", "ms", "one durable order intent in the journal", "journal"),
    Figure("fdatasync_p50_ms", "ms", "write + fdatasync of as many bytes, same disk, interleaved", "journal"),
    Figure("journal_ratio", "x", "journal commits/s / bare SQLite FULL commits/s", "journal"),
    Figure("backtest_bars_per_s", "bars/s CPU", "15m bars of 250 markets through the whole live path", "backtest", least=20_000, digits=0),
    Figure("rss_mb", "MB", "resident memory of the daemon after its first cycle", "daemon", digits=1),
    Figure("rss_mb_250", "MB", "resident memory of the whole daemon at 250 markets, after three cycles", "memory", limit=280, digits=1),
    Figure("rss_mb_data", "MB", "of that: candles and engines, all windows full", "memory", limit=80, digits=1),
    Figure("loop_step_start_ms", "ms CPU", "longest the loop is held while 250 markets are loaded and fed", "memory", limit=100, digits=1),
    Figure("warmup_1000_s", "s CPU", "1,000 series x 500 bars into cold engines", "warmup", digits=2),
    Figure("warmup_snapshot_s", "s CPU", "the same engines restored from their snapshots", "warmup"),
    Figure("refresh_250_p50_s", "s", "candle refresh, 250 symbols, 100 ms round trip, 50 at a time (ideal 0.5)", "refresh"),
    Figure(
        "sim_points_per_s",
        "1/s CPU",
        "price points of the exchange model: 60 markets, 200 resting orders",
        "sim_points",
        least=50_000,
        digits=0,
    ),
    Figure(
        "sim_http_requests_per_s",
        "1/s CPU",
        "requests that the embedded exchange answers over HTTP on one core",
        "sim_http",
        least=500,
        digits=0,
    ),
)
KEYS: Final = tuple(figure.key for figure in FIGURES)


class Measurement(Protocol):
    """What a module of this package offers: several figures may come from one measurement."""

    def measure(self) -> dict[str, Outcome]: ...


def measure_module(name: str) -> dict[str, Outcome]:
    """Run one measurement; the keys it gives are those of its rows."""
    module: Measurement = import_module(f"trading_system.app.bench.{name}")
    return module.measure()
