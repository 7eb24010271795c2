"""All figures of a run as plain values: of everything, of each part, and the random entry beside each. Pure.

From trade rows alone, so the figures of a finished run can be computed again without running it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from random import Random  # noqa: TID251 - seeded: the bootstrap is a function of its seed
from typing import Any, Final

from trading_system.backtest.statistics import Outcome, bootstrap_difference_by_day, mean, summarise
from trading_system.backtest.trades import outcomes_of

Row = Mapping[str, Any]

EVERYTHING: Final = "all"


def figures_of(
    trades: Sequence[Row], random_entry: Sequence[Row] | None, *, start: datetime, end: datetime, seed: int, rounds: int
) -> dict[str, Any]:
    """Tables of figures: {"all": {"all": …}, "half": {"first": …, "second": …}, "regime": …, "side": …, "tier": …}.

    trades: in order of their close; random_entry: those of the comparison run, or None when there was none. The halves divide the
    period [start, end) in the middle, by the moment of entry. Every cell has its own seeded draw: a part's interval does not depend
    on which other parts there are.
    """
    middle = start + (end - start) / 2

    def half(row: Row) -> str:
        return "first" if datetime.fromisoformat(row["opened_at"]) < middle else "second"

    parts: dict[str, Callable[[Row], str]] = {
        EVERYTHING: lambda row: EVERYTHING,
        "half": half,
        "regime": lambda row: row["regime"] or "none",
        "side": lambda row: row["direction"],
        "tier": lambda row: row["tier"] or "none",
    }
    tables: dict[str, Any] = {}
    for name, label in parts.items():
        own = _split(trades, label)
        other = None if random_entry is None else _split(random_entry, label)
        labels = sorted({*own, *(other or ())}) if name != EVERYTHING else [EVERYTHING]
        tables[name] = {
            part: _cell(own.get(part, []), None if other is None else other.get(part, []), seed=seed, rounds=rounds) for part in labels
        }
    return tables


def _split(rows: Sequence[Row], label: Callable[[Row], str]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(label(row), []).append(row)
    return found


def _cell(rows: Sequence[Row], others: Sequence[Row] | None, *, seed: int, rounds: int) -> dict[str, Any]:
    own = outcomes_of(rows)
    cell = asdict(summarise(own, Random(seed), rounds=rounds))
    cell["fees_r"] = _in_r(rows, "fees")
    cell["funding_r"] = _in_r(rows, "funding")
    cell["entry_slippage_r"] = _in_r(rows, "entry_slippage_usd")
    if others is not None:
        random_entry = outcomes_of(others)
        cell["random_entry"] = asdict(summarise(random_entry, Random(seed), rounds=rounds))
        cell["advantage_r"] = _minus(mean(o.r_multiple for o in own), mean(o.r_multiple for o in random_entry))
        difference = bootstrap_difference_by_day(_days(own), _days(random_entry), Random(seed), rounds=rounds)
        cell["advantage_r_95"] = None if difference is None else asdict(difference)
    return cell


def _days(outcomes: Sequence[Outcome]) -> list[tuple[Any, float]]:
    return [(outcome.day, outcome.r_multiple) for outcome in outcomes]


def _in_r(rows: Sequence[Row], name: str) -> float | None:
    """The mean of an amount of money in units of each trade's own risk."""
    return mean(float(row[name]) / float(row["risk_usd"]) for row in rows if float(row["risk_usd"]) > 0)


def _minus(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other
