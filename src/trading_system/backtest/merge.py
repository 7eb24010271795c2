"""Results of the same strategy over different markets, put together. Pure.

Right only where markets do not compete for anything: under the research profile no limit on positions, margin or losses is ever
reached, so a market's trades do not depend on which others are there. Where they do compete a part is not a part of the whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from trading_system.domain.errors import ConfigError

Result = Mapping[str, Any]

_SAME: Final = ("version", "engine", "options", "from", "to", "equity_start")
_COUNTS: Final = ("symbols", "bars", "cycles", "signals", "entries", "open_positions", "judged")
_MONEY: Final = ("realised", "unrealised", "fees", "funding")
_TALLIES: Final = ("cycles_by_mode", "gates")


def merge_results(results: Sequence[Result]) -> dict[str, Any]:
    """One result without figures. ConfigError: of different runs, of the same markets twice, or of trades that are not there."""
    first = results[0]
    if len(results) == 1:
        return dict(first)
    for name in _SAME:
        if any(one[name] != first[name] for one in results):
            raise ConfigError(f"results of different runs cannot be put together: {name} is {_listed(one[name] for one in results)}")
    if any("trades" not in one for one in results):
        raise ConfigError("results without their trades cannot be put together")
    has_random = ["random_entry" in one for one in results]
    if any(has_random) != all(has_random):
        raise ConfigError("results with and without a random entry cannot be put together")
    merged = {name: first[name] for name in _SAME} | _ended(results)
    merged |= {name: sum(one[name] for one in results) for name in _COUNTS}
    merged |= {name: _total(one[name] for one in results) for name in _MONEY}
    merged |= {name: _tally(one[name] for one in results) for name in _TALLIES}
    return {
        **merged,
        "wall_s": sum(one["wall_s"] for one in results),
        "naked_s_max": max(one["naked_s_max"] for one in results),
        "mode_causes": [cause for one in results for cause in one["mode_causes"]],
        "last_judged_at": max((one["last_judged_at"] for one in results if one["last_judged_at"]), default=None),
        "gate_shares": _gates(results),
        **({"random_entry": _random(results)} if all(has_random) else {}),
    }


def _ended(results: Sequence[Result]) -> dict[str, Any]:
    """What both the run and its comparison have."""
    trades = sorted((trade for one in results for trade in one["trades"]), key=lambda trade: (trade["closed_at"], trade["position_id"]))
    names = Counter(trade["position_id"] for trade in trades)
    twice = next((name for name, count in names.items() if count > 1), None)
    if twice is not None:
        raise ConfigError(f"results of the same market cannot be put together: the trade {twice} is there twice")
    funnels = [one["funnel"] for one in results]
    return {
        "trades": trades,
        "violations": [text for one in results for text in one["violations"]],
        "funnel": {
            "refused": _tally(funnel["refused"] for funnel in funnels),
            **{name: sum(funnel[name] for funnel in funnels) for name in ("signals", "never_filled", "still_open", "trades")},
        },
        "equity_end": _equity(results),
    }


def _random(results: Sequence[Result]) -> dict[str, Any]:
    others = [{**one["random_entry"], "equity_start": one["equity_start"]} for one in results]
    counts = {name: sum(other[name] for other in others) for name in ("signals", "entries")}
    money = {name: _total(other[name] for other in others) for name in ("fees", "funding")}
    return {"engine": others[0]["engine"], **counts, **money, **_ended(others)}


def _equity(results: Sequence[Result]) -> str:
    """One account that made what the accounts of the parts made together."""
    start = Decimal(results[0]["equity_start"])
    return str(start + sum((Decimal(one["equity_end"]) - Decimal(one["equity_start"]) for one in results), Decimal(0)))


def _gates(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Gates by their place: an empty list is of a part that judged nothing."""
    rows: dict[str, dict[str, Any]] = {}
    for one in results:
        for gate in one["gate_shares"]:
            held = rows.setdefault(gate["gate"], {"gate": gate["gate"], "reached": 0, "stopped": 0})
            held["reached"] += gate["reached"]
            held["stopped"] += gate["stopped"]
    return list(rows.values())


def _total(amounts: Iterable[str]) -> str:
    return str(sum(map(Decimal, amounts), Decimal(0)))


def _tally(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))


def _listed(values: Iterable[Any]) -> str:
    return " and ".join(dict.fromkeys(str(value) for value in values))
