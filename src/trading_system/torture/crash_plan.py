"""When a real daemon is killed, as data: everything follows from (seed, number of the kill).

The kinds of moments are the point. A uniformly drawn moment nearly always falls into idle time; so a good part is aimed at a line of
the log (an intent, a fill, a stop that moves), some milliseconds after it, and some kills fall into the start itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from trading_system.sim.rng import seeded

AIMS: Final[tuple[tuple[str, ...], ...]] = (
    ("ORDER_INTENDED", "purpose=en"),
    ("ORDER_INTENDED", "purpose=en"),
    ("FILL", "purpose=en"),
    ("FILL", "purpose=en"),
    ("ORDER_INTENDED", "purpose=sl"),
    ("STOP_PLACED",),
    ("ORDER_INTENDED", "purpose=tp1"),
    ("TAKE_PROFIT_PLACED",),
    ("FILL", "purpose=tp1"),
    ("BREAK_EVEN",),
    ("STOP_MOVED",),
    ("FILL", "purpose=sl"),
    ("ORDER_CANCEL_ASKED",),
    ("POSITION_CLOSED",),
)
"""A line of the daemon that begins with the first text and contains the others."""
_DELAY_S_MAX: Final = 0.06
_START_S_MAX: Final = 2.5
_DOWN_S_MAX: Final = 4.0


class Moment(Enum):
    """What the delay of a kill is counted from."""

    SPAWN = "spawn"
    READY = "ready"
    LINE = "line"
    """The first line that fits once the daemon is ready."""
    EARLY_LINE = "early line"
    """The first line that fits from the spawn on: the start's own sends are hit as well."""


@dataclass(frozen=True, slots=True)
class Kill:
    """delay_s: real seconds after the moment. down_s: real seconds until the next start. is_term: SIGTERM instead of SIGKILL."""

    number: int
    moment: Moment
    delay_s: float
    down_s: float
    aim: tuple[str, ...] = ()
    is_term: bool = False

    def fits(self, line: str) -> bool:
        return bool(self.aim) and line.startswith(self.aim[0]) and all(text in line for text in self.aim[1:])

    @property
    def text(self) -> str:
        what = " ".join(self.aim) if self.aim else self.moment.value
        return f"{'SIGTERM' if self.is_term else 'kill -9'} {self.delay_s:.3f} s after {what}"


def draw_kill(seed: int, number: int, patience_s: float) -> Kill:
    """The `number`-th kill of a seed. patience_s: longest time a ready daemon is left alone."""
    rng = seeded("crash", seed, number)
    share, down_s = rng.random(), rng.choice((0.0, 0.0, rng.uniform(0.0, _DOWN_S_MAX)))
    if share < 0.12:
        return Kill(number, Moment.SPAWN, rng.uniform(0.1, _START_S_MAX), down_s)
    if share < 0.62:
        moment = Moment.LINE if share < 0.47 else Moment.EARLY_LINE
        return Kill(number, moment, rng.uniform(0.0, _DELAY_S_MAX) ** 2 / _DELAY_S_MAX, down_s, rng.choice(AIMS))
    return Kill(number, Moment.READY, rng.uniform(0.0, patience_s), down_s, is_term=share > 0.92)
