"""`prove-config`: check all limits against each other and print the proof, or the counter-example."""

from __future__ import annotations

import argparse

from trading_system.app.config_args import add_config_options, load_from
from trading_system.app.exit_codes import ExitCode

SUMMARY = "check all limits against each other; print the proof with slacks, or the counter-example and exit 78"


def configure(parser: argparse.ArgumentParser) -> None:
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    from trading_system.config.proof import prove, render_proof

    proof = prove(load_from(args).settings)
    print(render_proof(proof))
    return ExitCode.CLEAN if proof.holds else ExitCode.CONFIG
