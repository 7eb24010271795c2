"""The figures of a run for a terminal of 80 columns: beside every mean its n, its interval, the cost share and the random entry. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

Cell = Mapping[str, Any]

NOT_KNOWN: Final = "n/a"
PARTS: Final = ("half", "regime", "side", "tier")
REASONS_SHOWN: Final = 12
"""Reasons that get a line of their own."""


def number(value: float | None, digits: int = 2, *, signed: bool = True) -> str:
    if value is None:
        return NOT_KNOWN
    return f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    return NOT_KNOWN if value is None else f"{value * 100:.{digits}f} %"


def interval(found: Mapping[str, float] | None, digits: int = 2, *, scale: float = 1.0, signed: bool = True) -> str:
    """`-0.21 … -0.02`, or that it cannot be given."""
    if found is None:
        return NOT_KNOWN
    return " … ".join(number(found[end] * scale, digits, signed=signed) for end in ("low", "high"))


def mean_of(cell: Cell, name: str = "expectancy_r", *, digits: int = 2) -> str:
    """A mean in R with its interval."""
    if cell[name] is None:
        return NOT_KNOWN
    unit = " R" if digits > 2 else ""
    return f"{number(cell[name], digits)}{unit} ({interval(cell[f'{name}_95'])})"


def render_text(result: Mapping[str, Any]) -> list[str]:
    """The whole report, a line each."""
    return [*_headline(result), "", *_totals(result), "", *_parts(result), "", *_gates(result), "", *_funnel(result), *_violations(result)]


def _headline(result: Mapping[str, Any]) -> Iterator[str]:
    amounts = {name: float(result[name]) for name in ("equity_start", "equity_end", "realised", "unrealised", "fees", "funding")}
    yield f"{result['engine']}: {result['symbols']} markets, {day(result['from'])} to {day(result['to'])}, {result['bars']:,} bars of 15m"
    yield f"  {result['cycles']:,} cycles in {result['wall_s']:.1f} s, naked at most {result['naked_s_max']:.1f} s"
    yield f"  equity {amounts['equity_start']:,.2f} -> {amounts['equity_end']:,.2f} USD: realised {amounts['realised']:+,.2f},"
    yield f"  unrealised {amounts['unrealised']:+,.2f}, fees {-amounts['fees']:+,.2f}, funding {-amounts['funding']:+,.2f}"
    off = result["cycles"] - result["cycles_by_mode"].get("NORMAL", 0)
    if off:
        modes = ", ".join(f"{mode} {count:,}" for mode, count in sorted(result["cycles_by_mode"].items()))
        yield f"  ENTRIES WERE OFF in {off:,} cycles ({modes}); last judged {str(result['last_judged_at'])[:16]}"
        yield from (f"    {cause[:110]}" for cause in result["mode_causes"][:3])


def day(moment: str) -> str:
    return moment[:10]


def _totals(result: Mapping[str, Any]) -> Iterator[str]:
    cell = result["figures"]["all"]["all"]
    fees, funding = number(cell["fees_r"], 3, signed=False), number(cell["funding_r"], 3)
    yield f"All trades: n {cell['trades']:,} on {cell['days']} days (intervals: 95 %, means resampled by day)"
    yield f"  after costs     {mean_of(cell, digits=3)}   costs are {percent(cell['cost_share'])} of gross profit"
    yield f"  before costs    {mean_of(cell, 'gross_expectancy_r', digits=3)}   fees {fees}, funding {funding} R"
    yield from _random(result, cell)
    yield f"  win rate        {percent(cell['win_rate'])} ({interval(cell['win_rate_95'], 1, scale=100, signed=False)})"
    factor = number(cell["profit_factor"], signed=False)
    drawdown = f"{cell['max_drawdown_r']:.1f} R = {cell['max_drawdown_usd']:,.0f} USD"
    yield f"  profit factor   {factor}   max drawdown {drawdown}   sum {cell['total_r']:+.1f} R"


def _random(result: Mapping[str, Any], cell: Cell) -> Iterator[str]:
    if "random_entry" not in result:
        yield "  random entry    not run"
        return
    other = cell["random_entry"]
    yield f"  random entry    {mean_of(other, digits=3)}   n {other['trades']:,}, costs {percent(other['cost_share'])}"
    yield f"  timing is worth {mean_of(cell, 'advantage_r', digits=3)}   what it has over the random entry"


def _parts(result: Mapping[str, Any]) -> Iterator[str]:
    yield f"{'part':<15}{'n':>5}  {'R after costs (95 %)':<22}{'costs':>6}  {'random entry (95 %)':<22}{'n':>5}"
    for name in PARTS:
        for label, cell in result["figures"][name].items():
            share = NOT_KNOWN if cell["cost_share"] is None else f"{cell['cost_share'] * 100:.0f} %"
            other = cell.get("random_entry")
            beside = f"{mean_of(other):<22}{other['trades']:>5}" if other is not None else "not run"
            title = f"{label} {name}" if name in ("half", "tier") else label
            yield f"{title:<15}{cell['trades']:>5}  {mean_of(cell):<22}{share:>6}  {beside}"


def gate_share(gate: Mapping[str, Any]) -> float | None:
    """Of the judgements that reached the gate, the share it stopped."""
    return gate["stopped"] / gate["reached"] if gate["reached"] else None


def _gates(result: Mapping[str, Any]) -> Iterator[str]:
    yield f"Gates: of {result['judged']:,} judgements, how many reached each, how many it stopped"
    for gate in result["gate_shares"]:
        yield f"  {gate['gate']:<16}{gate['reached']:>12,} reached {gate['stopped']:>12,} stopped {percent(gate_share(gate)):>9}"


def _funnel(result: Mapping[str, Any]) -> Iterator[str]:
    funnel = result["funnel"]
    ends = f"{funnel['trades']:,} trades, {funnel['still_open']} still open, {funnel['never_filled']} never filled"
    yield f"Signals {funnel['signals']:,}: {ends}, {sum(funnel['refused'].values()):,} refused"
    reasons = list(funnel["refused"].items())
    yield from (f"  {reason:<24}{count:>7,}" for reason, count in reasons[:REASONS_SHOWN])
    rest = sum(count for _, count in reasons[REASONS_SHOWN:])
    if rest:
        yield f"  {'others':<24}{rest:>7,}"


def _violations(result: Mapping[str, Any]) -> Iterator[str]:
    found = [*result["violations"], *(f"random entry: {text}" for text in result.get("random_entry", {}).get("violations", ()))]
    if found:
        yield ""
    yield from (f"VIOLATION: {text}" for text in found)
