"""The runbook answers for every log event and every alert kind, and says which of them nothing writes yet."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from trading_system.domain import log_events
from trading_system.domain.alert_kinds import AlertKind
from trading_system.risk.loss_state import LossEvent

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
LINES_PART, _, REST = RUNBOOK.partition("\n## Alerts\n")
ALERTS_PART = REST.partition("\n## Resume\n")[0]
EVENTS = {name: value for name, value in vars(log_events).items() if name.isupper() and isinstance(value, str)}
SOURCE = {
    path: path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "src").rglob("*.py"))
    if path.name not in ("log_events.py", "alert_kinds.py")
}


LOSS_LINES = {event.value for event in LossEvent} - {
    # told by the phrases people grep
    LossEvent.TRACKING_INITIALIZED.value,
    LossEvent.DAILY_STOP.value,
    LossEvent.WEEKLY_STOP.value,
}


def rows_of(part: str) -> list[str]:
    """The names in the first cells of all table rows that begin with one."""
    cells = re.findall(r"^\| (`[^|]+) \|", part, flags=re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def named_as_unused(sentence: str) -> set[str]:
    line = next(line for line in RUNBOOK.splitlines() if line.startswith(sentence))
    return set(re.findall(r"`([^`]+)`", line))


def aliases_of_log_events(tree: ast.Module) -> set[str]:
    return {
        name.asname or name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for name in node.names
        if name.name == "log_events"
    }


def used_events() -> set[str]:
    used: set[str] = set()
    for text in SOURCE.values():
        if "log_events" not in text:
            continue
        tree = ast.parse(text)
        aliases = aliases_of_log_events(tree)
        used |= {
            EVENTS[node.attr]
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases and node.attr in EVENTS
        }
    return used


def used_alerts() -> set[str]:
    kinds = {kind.value for kind in AlertKind}
    used: set[str] = set()
    for text in SOURCE.values():
        if ".alert(" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Constant) and node.value in kinds:
                used.add(str(node.value))
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "AlertKind":
                used.add(AlertKind[node.attr].value)
    return used


def test_every_log_event_has_exactly_one_row() -> None:
    others = {"EMBEDDED_EXCHANGE_FAILED"}

    assert sorted(rows_of(LINES_PART)) == sorted({*EVENTS.values(), *LOSS_LINES, *others})


def test_every_alert_kind_has_exactly_one_row() -> None:
    assert sorted(rows_of(ALERTS_PART)) == sorted(kind.value for kind in AlertKind)


def test_every_row_answers_what_it_means_whether_i_am_protected_and_what_to_do() -> None:
    rows = [line for line in (LINES_PART + ALERTS_PART).splitlines() if line.startswith("| `")]

    assert [row for row in rows if len(row.strip("|").split("|")) != 4 or not all(cell.strip() for cell in row.strip("|").split("|"))] == []


def test_the_lines_named_as_not_written_yet_are_exactly_those_nothing_writes() -> None:
    assert named_as_unused("Lines no code of this version writes:") == set(EVENTS.values()) - used_events()


def test_the_alerts_named_as_not_sent_yet_are_exactly_those_nothing_sends() -> None:
    assert named_as_unused("Alert kinds no code of this version sends:") == {kind.value for kind in AlertKind} - used_alerts()
