"""Kill the running daemon at many moments, start it again each time, and judge every restart by the venue's own record.

.venv/bin/python scripts/crash.py --kills 200 --seed 1    goes on where an earlier run with that seed stopped
.venv/bin/python scripts/crash.py --kills 200 --fresh     starts anew
.venv/bin/python scripts/crash.py --from 17 --kills 1     one kill again (its plan is the same; processes are never exactly so)
.venv/bin/python scripts/crash.py --dry-run               only print when it would strike

Exit code 1 when a promise was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Final

from trading_system.torture.crash_figures import read_progress, summary, write_row
from trading_system.torture.crash_plan import draw_kill
from trading_system.torture.crash_run import CrashPlan, KillReport, run_kills

FOLDER: Final = Path(__file__).resolve().parents[1] / ".local" / "crash"


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill the daemon at many moments and look whether anything was lost.")
    parser.add_argument("--kills", type=int, default=20, metavar="N", help="how many in all, those of earlier runs included (default 20)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of the plan of kills (default 1)")
    parser.add_argument(
        "--from", type=int, dest="first", metavar="K", help="from this kill on, whatever was done before; nothing is remembered"
    )
    parser.add_argument("--fresh", action="store_true", help="forget earlier runs with this seed")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where progress and working files go (default .local/crash)")
    parser.add_argument("--speed", type=float, default=150.0, metavar="X", help="market seconds per real second (default 150)")
    parser.add_argument("--patience", type=float, default=7.0, metavar="S", help="longest time a ready daemon is left alone (default 7)")
    parser.add_argument("--json", action="store_true", help="the figures as one JSON object at the end")
    parser.add_argument("--dry-run", action="store_true", help="print the planned kills, start nothing")
    args = parser.parse_args()
    plan = CrashPlan(args.seed, args.folder, args.speed, args.patience)
    progress = args.folder / f"seed-{args.seed}.jsonl"
    if args.dry_run:
        for number in range(args.first or 0, (args.first or 0) + args.kills):
            print(f"{number}: {draw_kill(args.seed, number, args.patience).text}")
        return 0
    if args.fresh:
        progress.unlink(missing_ok=True)
    rows = [] if args.first is not None else read_progress(progress)[: args.kills]
    first = len(rows) if args.first is None else args.first
    last = args.kills if args.first is None else args.first + args.kills
    if rows:
        print(f"{len(rows)} kills with seed {args.seed} were done before; going on (--fresh starts anew)", flush=True)

    def tell(report: KillReport) -> None:
        row = report.to_row()
        rows.append(row)
        if args.first is None:
            write_row(progress, row)
        if args.json:
            return
        protected = "not judged" if report.protected_s is None else f"protected after {report.protected_s:.2f} s"
        print(
            f"{'FAIL' if report.violations else 'ok  '} {report.number:>3}  {report.kill}: lived {report.lived_s:.1f} s, {protected}, "
            f"{report.positions} positions, {report.entries} entries, {report.fills} fills, load {report.load:.1f}",
            flush=True,
        )
        for text in report.violations:
            print(f"     {text}")
        if report.violations:
            print(f"     again: make crash N=1 ARGS='--from {report.number}' SEED={args.seed}", flush=True)

    asyncio.run(run_kills(plan, first, last - first, tell, lambda line: None if args.json else print(f"     {line}", flush=True)))
    figures = summary(rows) | {"seed": args.seed, "speed": args.speed, "cpus": os.cpu_count()}
    print(json.dumps(figures, indent=2))
    return 1 if figures["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
