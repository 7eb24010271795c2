#!/usr/bin/env python3
"""Puts the figures of finished backtests into the pages that tell of them.

    scripts/write_strategy_page.py [--dry-run] [NAME=RESULT.json ...]

RESULT.json is what `run.py backtest --json` wrote. Its figures, without the trades, are kept in docs/figures/NAME.json; then every
`<!-- figures NAME -->` ... `<!-- end -->` and `<!-- headline NAME -->` ... `<!-- end -->` of the pages is written anew from there.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any, Final

from trading_system.backtest.report_markdown import render_headline, render_markdown

ROOT: Final = Path(__file__).resolve().parents[1]
FIGURES: Final = ROOT / "docs" / "figures"
PAGES: Final = (ROOT / "README.md", ROOT / "docs" / "strategy.md", ROOT / "docs" / "strategies.md")
BLOCK: Final = re.compile(r"(<!-- (figures|headline) ([a-z_]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def without_trades(result: dict[str, Any]) -> dict[str, Any]:
    """What may be published: figures, no prices."""
    kept = {name: value for name, value in result.items() if name != "trades"}
    if "random_entry" in kept:
        kept["random_entry"] = without_trades(kept["random_entry"])
    return kept


def filled(page: str, results: dict[str, dict[str, Any]]) -> str:
    """The page with every block written anew; KeyError for a block whose figures are not there."""

    def block(match: re.Match[str]) -> str:
        result = results[match[3]]
        text = render_markdown(result).rstrip("\n") if match[2] == "figures" else render_headline(result)
        return f"{match[1]}{text}\n{match[4]}"

    return BLOCK.sub(block, page)


def kept_results() -> dict[str, dict[str, Any]]:
    """docs/figures by name."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FIGURES.glob("*.json"))}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry-run", action="store_true", help="say which files would change")
    parser.add_argument("results", nargs="*", metavar="NAME=RESULT.json")
    args = parser.parse_args()
    results, changed = kept_results(), {}
    for text in args.results:
        name, _, path = text.partition("=")
        results[name] = without_trades(json.loads(Path(path).read_text(encoding="utf-8")))
        changed[FIGURES / f"{name}.json"] = json.dumps(results[name], indent=1) + "\n"
    for page in PAGES:
        before = page.read_text(encoding="utf-8")
        after = filled(before, results)
        if after != before:
            changed[page] = after
    for path, text in changed.items():
        print(f"{'would write' if args.dry_run else 'wrote'} {path.relative_to(ROOT)}")
        if not args.dry_run:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
