"""`torture`: many seeds of the whole daemon on a faulty venue in virtual time; what breaks is named with the line that repeats it."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from trading_system.app.exit_codes import ExitCode

SUMMARY = "run the daemon on a faulty venue in virtual time, seed by seed, and check every safety promise"
CACHE = Path(".local/torture")


def _jobs(text: str) -> int:
    jobs = int(text)
    if jobs < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, was {jobs}")
    return jobs


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=int, default=10, metavar="N", help="how many seeds (default %(default)s)")
    parser.add_argument("--from-seed", type=int, default=0, metavar="S", help="the first seed (default %(default)s)")
    parser.add_argument("--hours", type=float, default=1.0, metavar="H", help="simulated hours with faults per seed (default %(default)s)")
    parser.add_argument("--once", action="store_true", help="run each seed once only; by default twice, and the traces must agree")
    parser.add_argument(
        "--jobs", type=_jobs, default=1, metavar="N", help="how many seeds at a time, each in its own process (default %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")


def run(args: argparse.Namespace) -> int:
    from trading_system.torture.batch import run_batch
    from trading_system.torture.result import SeedResult, summary

    def tell(result: SeedResult) -> None:
        if args.json:
            return
        word = "ok  " if result.holds else "FAIL"
        print(
            f"{word} seed {result.seed}: {result.entries} entries, {result.fills} fills, {sum(result.faults.values())} faults, "
            f"{result.deaths} deaths, naked at most {result.naked_s_max:g} s, trace {result.trace[:12]}",
            flush=True,
        )
        for violation in result.violations[:5]:
            print(f"     {violation.rule} at {violation.at_ms} {violation.symbol}: {violation.text}")
        if not result.holds:
            print(f"     again: python run.py torture --from-seed {result.seed} --seeds 1 --hours {args.hours:g} --once", flush=True)

    began = time.perf_counter()
    seeds = range(args.from_seed, args.from_seed + args.seeds)
    results = run_batch(seeds, args.hours, CACHE, tell=tell, twice=not args.once, jobs=args.jobs)
    figures = summary(results, time.perf_counter() - began)
    if args.json:
        print(json.dumps(figures, indent=2))
    else:
        pace = figures["simulated_hours"] * 3600 / max(figures["wall_s"], 0.001)
        print(
            f"{figures['seeds']} seeds, {figures['simulated_hours']:g} h simulated in {figures['wall_s']:g} s ({pace:,.0f} x), "
            f"{len(figures['violations'])} violations, naked at most {figures['naked_s_max']:g} s (99 %: {figures['naked_s_p99']:g} s), "
            f"{figures['duplicates']} duplicates, {figures['unexplained_fills']} unexplained fills"
        )
    return ExitCode.CLEAN if not figures["violations"] else ExitCode.FAULT
