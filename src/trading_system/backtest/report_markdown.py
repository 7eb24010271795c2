"""The figures of a run as markdown tables, from its result alone, so that a page can be made again without a run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from trading_system.backtest.report_text import PARTS, Cell, day, gate_share, interval, mean_of, number, percent

_TITLES: Final = {"half": "Half of the period", "regime": "Regime", "side": "Side", "tier": "Tier"}


def render_markdown(result: Mapping[str, Any]) -> str:
    """All tables; ends with a newline."""
    return "\n".join([*_run(result), "", *_means(result), "", *_gates(result), "", *_signals(result), ""])


def render_headline(result: Mapping[str, Any]) -> str:
    """The finding in one sentence, for the first screen of a page."""
    cell = result["figures"]["all"]["all"]
    period = f"{result['symbols']} perpetuals from {day(result['from'])} to {day(result['to'])}"
    text = (
        f"On {period} its mean trade was **{number(cell['expectancy_r'], 3)} R after costs** "
        f"(95 % interval {interval(cell['expectancy_r_95'])}, n = {cell['trades']:,}), "
        f"{number(cell['gross_expectancy_r'], 3)} R before fees and funding"
    )
    other = cell.get("random_entry")
    if other is None:
        return f"{text}."
    advantage = f"{number(cell['advantage_r'], 3)} R (95 % {interval(cell['advantage_r_95'])})"
    beside = f"entered at random later times {number(other['expectancy_r'], 3)} R (n = {other['trades']:,})"
    return f"{text}; {beside}, so its timing was worth {advantage}."


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _run(result: Mapping[str, Any]) -> Iterator[str]:
    cell = result["figures"]["all"]["all"]
    money = {name: float(result[name]) for name in ("equity_start", "equity_end", "fees", "funding")}
    off = result["cycles"] - result["cycles_by_mode"].get("NORMAL", 0)
    modes = ", ".join(f"{mode} {count:,}" for mode, count in sorted(result["cycles_by_mode"].items()))
    slippage = number(cell["entry_slippage_r"], 3)
    rows = [
        ("strategy", f"`{result['engine']}`"),
        ("markets, period", f"{result['symbols']}, {day(result['from'])} to {day(result['to'])} (UTC)"),
        ("bars of 15m, judgements", f"{result['bars']:,}, {result['judged']:,}"),
        ("trades", f"{cell['trades']:,} on {cell['days']} days"),
        ("mean after costs", f"**{mean_of(cell, digits=3)}**, n = {cell['trades']:,}"),
        ("mean before fees and funding", mean_of(cell, "gross_expectancy_r", digits=3)),
        *_random_rows(cell),
        ("costs per trade", f"fees {number(cell['fees_r'], 3, signed=False)} R, funding {number(cell['funding_r'], 3)} R"),
        ("costs as a share of gross profit", f"{percent(cell['cost_share'])} (of the profit of trades that gained before costs)"),
        ("spread and slippage at entry", f"{slippage} R against the mark, contained in the mean before fees and funding"),
        ("win rate", f"{percent(cell['win_rate'])} ({interval(cell['win_rate_95'], 1, scale=100, signed=False)})"),
        ("profit factor", number(cell["profit_factor"], signed=False)),
        ("largest drawdown", f"{cell['max_drawdown_r']:.1f} R ({cell['max_drawdown_usd']:,.0f} USD)"),
        ("sum of all trades", f"{cell['total_r']:+.1f} R"),
        ("equity", f"{money['equity_start']:,.2f} to {money['equity_end']:,.2f} USD"),
        ("fees and funding paid", f"{money['fees']:,.2f} and {money['funding']:,.2f} USD"),
        ("cycles with entries off", f"{off:,} of {result['cycles']:,} ({modes}); last judgement {str(result['last_judged_at'])[:16]}"),
        ("without a full stop, at most", f"{result['naked_s_max']:.1f} s"),
        ("violations of safety rules", f"{len(result['violations'])}"),
    ]
    return _table(("all trades; intervals are 95 %", "figure"), rows)


def _random_rows(cell: Cell) -> Iterator[tuple[str, str]]:
    other = cell.get("random_entry")
    if other is not None:
        yield "random entry, after costs", f"{mean_of(other, digits=3)}, n = {other['trades']:,}"
        yield "what the timing is worth", mean_of(cell, "advantage_r", digits=3)


def _means(result: Mapping[str, Any]) -> Iterator[str]:
    head = (
        "part",
        "n",
        "R after costs (95 %)",
        "R before",
        "costs, share of gross profit",
        "win rate (95 %)",
        "profit factor",
        "max drawdown R",
        "random entry: n",
        "R after costs (95 %)",
        "timing is worth R (95 %)",
    )
    rows = [("all", result["figures"]["all"]["all"])]
    rows += [(f"{_TITLES[name]}: {label}", cell) for name in PARTS for label, cell in result["figures"][name].items()]
    return _table(head, (_mean_row(title, cell) for title, cell in rows))


def _mean_row(title: str, cell: Cell) -> tuple[str, ...]:
    other = cell.get("random_entry")
    beside = ("", "not run", "") if other is None else (f"{other['trades']:,}", mean_of(other), mean_of(cell, "advantage_r"))
    return (
        title,
        f"{cell['trades']:,}",
        mean_of(cell),
        number(cell["gross_expectancy_r"]),
        percent(cell["cost_share"], 0),
        f"{percent(cell['win_rate'])} ({interval(cell['win_rate_95'], 1, scale=100, signed=False)})",
        number(cell["profit_factor"], signed=False),
        f"{cell['max_drawdown_r']:.1f}",
        *beside,
    )


def _gates(result: Mapping[str, Any]) -> Iterator[str]:
    gates = result["gate_shares"]
    rows = ((gate["gate"], f"{gate['reached']:,}", f"{gate['stopped']:,}", percent(gate_share(gate))) for gate in gates)
    return _table(("gate", "judgements that reached it", "stopped", "share stopped"), rows)


def _signals(result: Mapping[str, Any]) -> Iterator[str]:
    funnel = result["funnel"]
    rows = [("signals", f"{funnel['signals']:,}"), ("became trades", f"{funnel['trades']:,}")]
    rows += [("still open at the end", f"{funnel['still_open']:,}"), ("sent, never filled", f"{funnel['never_filled']:,}")]
    rows += [(f"refused: `{reason}`", f"{count:,}") for reason, count in funnel["refused"].items()]
    return _table(("what became of the signals", "count"), rows)
