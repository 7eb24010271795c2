"""Draws the crash matrix into docs/crash-matrix.md: plays its stories in virtual time, killed after every write and send.

.venv/bin/python scripts/draw_crash_matrix.py            write the tables (half a minute)
.venv/bin/python scripts/draw_crash_matrix.py --dry-run  write nothing; exit 1 when the page is out of date
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from trading_system.torture.crash_page import all_tables, redrawn

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "crash-matrix.md"


def main() -> int:
    parser = argparse.ArgumentParser(description="Draw docs/crash-matrix.md by playing its stories.")
    parser.add_argument("--dry-run", action="store_true", help="write nothing; exit 1 when the page is out of date")
    args = parser.parse_args()
    page = PAGE.read_text(encoding="utf-8")
    wanted = redrawn(page, all_tables())
    if page == wanted:
        print(f"{PAGE.name}: up to date")
        return 0
    if args.dry_run:
        print(f"{PAGE.name}: out of date; run scripts/draw_crash_matrix.py")
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    print(f"{PAGE.name}: redrawn")
    return 0


if __name__ == "__main__":
    sys.exit(main())
