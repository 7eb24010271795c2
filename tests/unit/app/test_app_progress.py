"""A long run whose output goes into a file says how far it is, and how long it will take."""

from __future__ import annotations

import io

from trading_system.app.progress import make_progress


def test_a_run_into_a_file_tells_a_line_now_and_then() -> None:
    stream, now = io.StringIO(), [0.0]
    show = make_progress("smc", stream, lambda: now[0])

    for second, done in ((0, 0), (10, 5), (31, 20), (40, 25), (62, 50)):
        now[0] = float(second)
        show(done, 100)

    assert stream.getvalue().splitlines() == [
        "smc: 20% of 100 after 31 s, about 124 s left",
        "smc: 50% of 100 after 62 s, about 62 s left",
    ]
