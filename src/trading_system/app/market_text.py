"""Markets and gate ladders in words, from the daemon's plain facts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trading_system.app.status_text import Facts, moment, number
from trading_system.monitoring.formatting import NOTHING, percent, table, usd


def figure(value: Any) -> str:
    """A float of a ladder with six digits that count, a text as it is."""
    if value is None:
        return NOTHING
    return f"{value:.6g}" if isinstance(value, float | int) else str(value)


def render_why(facts: Facts) -> str:
    """One market: what blocks it now, and every gate of its last ladder."""
    market, ladder = facts["market"], facts["ladder"]
    lines = [
        f"{facts['symbol']}  tier {market['tier'] or NOTHING}, data {market['health']}, market {market['status'] or NOTHING}",
        *(f"entries off: {text}" for text in facts["entries_off"]),
        *(f"no entry here: {text}" for text in facts["blocked_by"]),
    ]
    if ladder is None:
        return "\n".join([*lines, "not judged yet since the daemon started"])
    lines.append(
        f"last judged at the bar that closed {moment(ladder['judged_at'])}, price {figure(ladder['price'])}: "
        f"{ladder['outcome']}, {ladder['passed']} of {ladder['gates_count']} gates passed"
    )
    rows = [
        [gate["name"], gate["state"].replace("_", " "), figure(gate["actual"]), figure(gate["distance"]), gate["required"]]
        for gate in ladder["gates"]
    ]
    return "\n".join([*lines, "", table(("gate", "state", "actual", "distance", "required"), rows, ["<", "<", ">", ">", "<"])])


def render_why_all(facts: Facts) -> str:
    """Every judged market, nearest to a signal first."""
    head = [f"entries off: {text}" for text in facts["entries_off"]]
    if not facts["markets"]:
        return "\n".join([*head, "no market was judged yet since the daemon started"])
    rows = []
    for market in facts["markets"]:
        gate = market["blocking"] or {"name": NOTHING, "actual": None, "distance": None, "required": ""}
        rows.append(
            [
                market["symbol"],
                f"{market['passed']}/{market['gates_count']}",
                gate["name"],
                figure(gate["actual"]),
                figure(gate["distance"]),
                market["outcome"],
                gate["required"],
            ]
        )
    headers = ("symbol", "passed", "stopped by", "actual", "distance", "code", "required")
    return "\n".join([*head, table(headers, rows, ["<", ">", "<", ">", ">", "<", "<"])])


def render_gate_days(facts: Facts) -> str:
    """Per day: every gate that stopped something, in the order of the ladder."""
    if not facts["days"]:
        return "nothing was counted yet: the daemon counts each market's judgement of each 15m bar, per UTC day"
    parts = []
    for day in facts["days"]:
        top = "" if day["top"] is None else f"; most often stopped by {day['top']['gate']} ({day['top']['reason']})"
        head = f"{day['day']}: {day['judged']:,} judgements, {day['signals']:,} signals{top}"
        rows = [
            [row["gate"], row["reason"], f"{row['stopped']:,}", f"{row['reached']:,}", f"{row['share']:.1%}", f"{row['of_all']:.1%}"]
            for row in day["gates"]
        ]
        headers = ("gate", "code", "stopped", "reached it", "of those", "of all")
        parts.append(f"{head}\n\n{table(headers, rows, ['<', '<', '>', '>', '>', '>'])}")
    return "\n\n".join(parts)


def render_universe(facts: Facts) -> str:
    """Every market of the venue with its tier, or why it is left out."""
    if facts["as_of"] is None:
        return "no discovery yet"
    rows = [_market_row(market) for market in facts["markets"]]
    head = f"{facts['eligible']} of {len(rows)} markets are eligible, as of {moment(facts['as_of'])}"
    headers = ("symbol", "tier", "24h volume", "spread", "data", "market", "why not")
    return f"{head}\n\n{table(headers, rows, ['<', '<', '>', '>', '<', '<', '<'])}"


def _market_row(market: Facts) -> Sequence[str]:
    excluded = market["excluded"] or ("pinned" if market["is_pinned"] else "")
    if market["excluded"] and market["limit"] is not None:
        limit, actual = number(market["limit"]), number(market["actual"])
        is_spread = "spread" in market["excluded"]
        show = (lambda value: percent(value, digits=3)) if is_spread else usd
        excluded = f"{excluded}: {show(actual)}, limit {show(limit)}"
    return (
        market["symbol"] + (" held" if market["is_held"] else ""),
        NOTHING if market["excluded"] else market["tier"] or NOTHING,
        usd(number(market["volume_usd_24h"])).removesuffix(".00"),
        percent(number(market["spread"]), digits=3),
        market["health"],
        market["status"] or NOTHING,
        excluded or "",
    )
