"""How far a long run is: a bar on a terminal, a line now and then in a file. Always on stderr: stdout is for the figures."""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import monotonic
from typing import Final, TextIO

Show = Callable[[int, int], None]
"""Called with (done, all)."""
LINE_EVERY_S: Final = 30.0


def make_progress(title: str, stream: TextIO | None = None, clock: Callable[[], float] = monotonic) -> Show:
    """The reporter of one run. `clock`: seconds; only differences count."""
    stream = sys.stderr if stream is None else stream
    return _bar(title, stream) if stream.isatty() else _lines(title, stream, clock)


def _lines(title: str, stream: TextIO, clock: Callable[[], float]) -> Show:
    began = told = clock()

    def show(done: int, total: int) -> None:
        nonlocal told
        now = clock()
        if now - told < LINE_EVERY_S:
            return
        told = now
        left = f", about {(now - began) / done * (total - done):.0f} s left" if done else ""
        print(f"{title}: {done / total:.0%} of {total} after {now - began:.0f} s{left}", file=stream, flush=True)

    return show


def _bar(title: str, stream: TextIO) -> Show:
    from rich.console import Console
    from rich.progress import Progress, TimeRemainingColumn

    progress = Progress(*Progress.get_default_columns()[:-1], TimeRemainingColumn(), console=Console(file=stream))
    task = progress.add_task(title, total=None)
    progress.start()

    def show(done: int, total: int) -> None:
        progress.update(task, completed=done, total=total)
        if done >= total:
            progress.stop()

    return show
