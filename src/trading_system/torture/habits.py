"""How the owner of one run has configured the daemon: other ways to enter, to take profit and to leave than the defaults.

Drawn apart from the faults, so that a seed goes wrong in the same way whatever its habits are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trading_system.sim.rng import seeded

Habits = Mapping[str, Mapping[str, Any]]

_SPLITS: Final = ("split_default", "split_tight_smc", "split_wide_structure", "split_consolidation")
_SHARES: Final = (
    {"tp1": "0", "tp2": "0.5", "runner": "0.5"},
    {"tp1": "0.5", "tp2": "0.5", "runner": "0"},
    {"tp1": "0.1", "tp2": "0.1", "runner": "0.8"},
)
_TIGHT_TRAIL: Final = ({"from_r": "0", "atr_multiple": "0.15"}, {"from_r": "1", "atr_multiple": "0.08"})


def draw_habits(seed: int) -> Habits:
    """Settings by section, valid on top of any others: what half of the seeds leave at its default, the others change."""
    rng = seeded(seed, "habits")
    take_profits: dict[str, Any] = {
        "premise_exit": rng.random() < 0.3,
        "time_exit_hours": rng.choice((None, None, "0.5", "1.5")),
        "final_target": {
            "at_r": rng.choice(("1", "2")),
            "action": rng.choice(("none", "none", "none", "tighten_trail", "close_partial", "close_full")),
        },
    }
    if rng.random() < 0.5:
        take_profits["trailing_steps"] = _TIGHT_TRAIL
    if rng.random() < 0.5:
        take_profits |= dict.fromkeys(_SPLITS, rng.choice(_SHARES))
    return {
        "execution": {"entry_type": rng.choice(("market", "market", "limit", "limit_post_only"))},
        "multi_tp": take_profits,
        "auction": {"replace_winners": rng.random() < 0.3},
    }
