"""Draws the position states into docs/position-states.md, from the table the daemon uses.

.venv/bin/python scripts/draw_position_states.py            write the diagram
.venv/bin/python scripts/draw_position_states.py --dry-run  write nothing; exit 1 when the page is out of date
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from trading_system.execution.position_state import render_transitions

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "position-states.md"
BEGIN: Final = "```mermaid\n"
END: Final = "```\n"


def redrawn(page: str) -> str:
    """The page with the diagram of the table as it is now; ValueError when the page has no place for one."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page has no mermaid block")
    return before + BEGIN + render_transitions() + END + after


def main() -> int:
    parser = argparse.ArgumentParser(description="Draw docs/position-states.md from the table of transitions.")
    parser.add_argument("--dry-run", action="store_true", help="write nothing; exit 1 when the page is out of date")
    args = parser.parse_args()
    page = PAGE.read_text(encoding="utf-8")
    wanted = redrawn(page)
    if page == wanted:
        print(f"{PAGE.name}: up to date")
        return 0
    if args.dry_run:
        print(f"{PAGE.name}: out of date; run scripts/draw_position_states.py")
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    print(f"{PAGE.name}: redrawn")
    return 0


if __name__ == "__main__":
    sys.exit(main())
