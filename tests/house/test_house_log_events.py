"""Log events are an interface: one constant per name, the phrases people grep unchanged."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from trading_system.domain import log_events

ROOT = Path(__file__).parents[2]
EVENTS = {name: value for name, value in vars(log_events).items() if name.isupper() and isinstance(value, str)}


def test_every_event_has_one_constant() -> None:
    values = Counter(EVENTS.values())

    assert [value for value, count in values.items() if count > 1] == []


def test_no_constant_is_defined_twice() -> None:
    tree = ast.parse(Path(log_events.__file__).read_text(encoding="utf-8"))
    names = Counter(node.target.id for node in tree.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name))

    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize(
    "phrase",
    [
        "CYCLE_SUMMARY",
        "CYCLE_SUMMARY_FAILED",
        "Active Portfolio",
        "Kill switch active",
        "DEGRADED",
        "PHANTOM",
        "ORPHAN",
        "PENDING_ADOPTED",
        "NAKED_POSITIONS_DETECTED (first occurrence)",
        "NAKED_POSITIONS_DETECTED (persistent)",
        "Execution failed",
        "UNIVERSE_SHRINK_REJECTED",
        "SYMBOL_ADDED",
        "SYMBOL_REMOVED",
        "Tier A coin bypassing filters",
        "Fill reconciliation complete",
        "SIGNAL_REJECTED_SPREAD",
        "KILL SWITCH ACTIVATED",
        "Kill switch: PRESERVING stop loss order",
        "Kill switch: Order cleanup complete",
        "AUTO_RECOVERY: Clearing kill switch",
        "Auto-recovery: daily limit reached",
        "ANOTHER INSTANCE IS ALREADY RUNNING",
        "Daily loss tracking initialized",
        "DAILY_LOSS_WARNING",
        "Daily stop loss hit",
        "Weekly stop loss hit",
        "Old SL cancel failed (proceeding to place new SL)",
        "Capping position notional by aggregate exposure limit",
        "Alert (no webhook configured)",
    ],
)
def test_the_phrases_people_grep_stay_as_they_are(phrase: str) -> None:
    assert phrase in EVENTS.values()


def test_event_names_are_one_printable_line() -> None:
    assert [value for value in EVENTS.values() if not value.isprintable() or value != value.strip()] == []


def test_our_loggers_are_called_with_a_constant_never_with_a_composed_text() -> None:
    offenders: list[str] = []
    for path in sorted((ROOT / "src").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "get_logger(" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
                continue
            holder = node.func.value
            is_log = isinstance(holder, ast.Name) and holder.id in ("log", "logger", "_log")
            is_written = is_log and node.func.attr in ("debug", "info", "warning", "error", "critical", "exception")
            if is_written and isinstance(node.args[0], ast.JoinedStr | ast.BinOp | ast.Constant):
                offenders.append(f"{path.relative_to(ROOT)}:{node.lineno}")

    assert offenders == []
