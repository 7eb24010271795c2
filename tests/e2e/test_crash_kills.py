"""Ten kills of the real daemon on a living exchange, as `make crash` does by the hundred."""

from __future__ import annotations

from pathlib import Path

import pytest

from trading_system.torture.crash_figures import summary
from trading_system.torture.crash_run import CrashPlan, KillReport, run_kills

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(400)]


async def test_ten_kills_lose_no_fill_open_nothing_twice_and_leave_nothing_naked(tmp_path: Path) -> None:
    reports: list[KillReport] = []

    await run_kills(CrashPlan(seed=1, folder=tmp_path, patience_s=1.5), 0, 10, reports.append, lambda line: None)

    figures = summary([report.to_row() for report in reports])
    assert figures["violations"] == []
    assert figures["kills"] == 10
    assert figures["judged_restarts"] >= 5
    assert figures["killed_with_positions"] >= 4, "hardly anything was held: this run would prove little"
    assert reports[-1].fills > 10
