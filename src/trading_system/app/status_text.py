"""Status and positions in words, from the plain facts of a running daemon or of the journal of one that is down. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from trading_system.monitoring.formatting import NOTHING, duration, multiple_of_r, percent, price, quantity, table, usd

Facts = Mapping[str, Any]


def number(value: str | float | None) -> Decimal | None:
    """A figure of the facts: exact numbers travel as text."""
    return None if value is None else Decimal(str(value))


def moment(text: str | None) -> str:
    """`2026-01-05 08:15:00 UTC` of an ISO time."""
    return NOTHING if text is None else f"{text[:19].replace('T', ' ')} UTC"


def render_status(facts: Facts) -> str:
    """A running daemon."""
    limits = f"today {usd(number(facts['day_pnl_usd']), signed=True)} (stop at -{usd(number(facts['day_limit_usd']))})"
    limits += f", week {usd(number(facts['week_pnl_usd']), signed=True)} (stop at -{usd(number(facts['week_limit_usd']))})"
    lines = [
        f"state       {facts['state']} · {facts['mode']} on {facts['venue']} · version {facts['version']} · "
        f"config {facts['config_hash'][:12]} · session {facts['session']}",
        f"market time {moment(facts['market_time'])}",
        *_latch_lines(facts),
        f"entries     {'on' if not facts['entries_off'] else 'OFF: ' + '; '.join(facts['entries_off'])}",
        f"equity      {usd(number(facts['equity_usd']))}, available margin {usd(number(facts['available_margin_usd']))}, "
        f"margin used {percent(number(facts['margin_utilization']))}, unrealised {usd(number(facts['unrealised_usd']), signed=True)}",
        f"losses      {limits}, drawdown {percent(number(facts['drawdown']), digits=2)}",
        f"positions   {facts['positions']} open, {facts['unprotected']} not fully covered by stops, naked {duration(facts['naked_s'])}; "
        f"{facts['open_orders']} orders open, {facts['orders_of_unknown_fate']} of unknown fate",
        f"universe    {facts['universe']} markets, {facts['cooldowns_active']} in cooldown",
        f"loops       cycle {facts['cycle']} ended {duration(facts['cycle_age_s'])} ago, "
        f"protection {duration(facts['protection_age_s'])} ago; budget {facts['budget_points'] or NOTHING} points, "
        f"clock skew {NOTHING if facts['clock_skew_s'] is None else facts['clock_skew_s'] + ' s'}, "
        f"entry breaker {'TRIPPED' if facts['is_entry_breaker_tripped'] else 'armed'}",
        f"journal     {facts['journal_records']} records, {facts['journal_failure'] or 'writing'}",
    ]
    return "\n".join([*lines, *(f"warning     {text}" for text in facts["warnings"])])


def render_offline_status(facts: Facts, holder: int | None = None) -> str:
    """No daemon answers: the disk alone speaks. holder: the process that runs all the same and is silent."""
    runs = "NOT RUNNING" if holder is None else f"NO ANSWER from process {holder}, which may hang: `systemctl restart trading-bot`"
    who = "nothing is known"
    if facts["mode"] is not None:
        who = f"{facts['mode']} on {facts['venue']}, last session {facts['session']}"
        who += f" of version {facts['version']}, config {facts['config_hash'][:12]}"
    lines = [
        f"state       {runs}; a start would begin in {facts['state']} · {who}",
        *_latch_lines(facts),
        f"journal     {facts['journal_records']} records, the newest at {moment(facts['last_record_at'])} (market time)",
        f"positions   {facts['positions']} open as the journal knows, {facts['unprotected']} not fully covered by stops; "
        f"{facts['open_orders']} orders open, {facts['orders_of_unknown_fate']} of unknown fate",
        f"equity      {usd(number(facts['equity_usd']))} as read at {moment(facts['equity_at'])}",
        *(f"problem     {text}" for text in facts["problems"]),
        "note        marks and fills since then are not known; stops rest at the venue whether or not a daemon runs",
    ]
    return "\n".join(lines)


def _latch_lines(facts: Facts) -> list[str]:
    lines = []
    if (halt := facts["halt"]) is not None:
        done = ", entries and take-profits confirmed gone" if halt["is_cleanup_done"] else ""
        lines.append(f"halted      {halt['mode']} since {moment(halt['since'])} by {halt['by']}: {halt['reason']}{done}")
    if facts["has_kill_file"]:
        lines.append("halted      the file KILL_SWITCH lies in the data directory: remove it, then `resume --reason TEXT`")
    for cause in facts["causes"]:
        clear = "" if cause["clear_since"] is None else f" (fine again since {moment(cause['clear_since'])})"
        lines.append(f"degraded    {cause['note'] or cause['invariant']} since {moment(cause['since'])}{clear}")
    return lines


_HEADERS = ("symbol", "side", "state", "qty", "entry", "mark", "lev", "P&L", "P&L %", "R", "stop", "take profits")


def render_positions(rows: Sequence[Facts]) -> str:
    """One line per position."""
    if not rows:
        return "no position is open, no entry waits"
    cells = [
        [
            row["symbol"],
            row["direction"],
            row["state"] + ("" if row["closing"] is None else f" ({row['closing']})") + ("" if row["is_own"] else " adopted"),
            quantity(number(row["qty"])),
            price(_shortened(row["entry_price"])),
            price(_shortened(row["mark_price"])),
            NOTHING if row["leverage"] is None else f"{number(row['leverage']):.1f}x",
            usd(number(row["pnl_usd"]), signed=True),
            percent(number(row["pnl_ratio"]), digits=2, signed=True),
            multiple_of_r(number(row["open_r"])),
            _stop(row),
            ", ".join(f"{tp['level'].upper()} {price(number(tp['price']))} {tp['state']}" for tp in row["take_profits"]) or NOTHING,
        ]
        for row in rows
    ]
    return table(_HEADERS, cells, ["<", "<", "<", ">", ">", ">", ">", ">", ">", ">", "<", "<"])


def _stop(row: Facts) -> str:
    """The trigger that rests; what is not covered is said loudly."""
    unprotected = number(row["unprotected_qty"]) or Decimal(0)
    text = price(number(row["stop_resting"]))
    if number(row["qty"]) == 0:
        return f"{price(number(row['stop_wanted']))} planned"
    return text if unprotected <= 0 else f"{text}; {quantity(unprotected)} WITHOUT A STOP"


def _shortened(value: str | None) -> Decimal | None:
    """Averages have endless digits: seven that count are enough to read."""
    exact = number(value)
    return None if exact is None else Decimal(f"{exact:.7g}")
