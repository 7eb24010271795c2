"""The page about the embedded exchange names everything that can be switched or go wrong, and nothing that cannot."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from trading_system.sim.kraken_server.faults import FaultKind
from trading_system.sim.kraken_server.routes import PATTERNS, ROUTES
from trading_system.sim.variants import ExchangeVariants
from trading_system.sim.words import MarketMode

PAGE = (Path(__file__).parents[3] / "docs" / "embedded-exchange.md").read_text(encoding="utf-8")


def words_of_table(heading: str) -> set[str]:
    """What the first column of the table under a heading names in backticks."""
    text = PAGE[PAGE.index(f"| {heading} |") :].split("\n\n")[0]
    return {word for line in text.splitlines()[2:] for word in re.findall(r"`([^`]+)`", line.split("|")[1])}


def test_every_switch_of_the_open_points_is_explained() -> None:
    assert words_of_table("switch") == {field.name for field in dataclasses.fields(ExchangeVariants)}


def test_every_kind_of_fault_is_explained() -> None:
    assert words_of_table("`kind`") == {kind.value for kind in FaultKind}


def test_the_tests_that_the_table_of_clients_names_exist() -> None:
    text = PAGE[PAGE.index("| what | ccxt |") :].split("\n\n")[0]
    named = set(re.findall(r"`(test_\w+)`", text))
    tests = Path(__file__).parents[2]
    files = [*(tests / "protocol").glob("test_*.py"), *(tests / "integration").glob("test_kraken_server_*.py")]
    there = {name for file in files for name in re.findall(r"def (test_\w+)", file.read_text(encoding="utf-8"))}

    assert len(named) > 20
    assert named <= there


def test_every_market_mode_is_named() -> None:
    assert set(re.findall(r"`(\w+)`", PAGE[PAGE.index("\nModes: ") :].split("\n\n")[0])) == {mode.value for mode in MarketMode}


def test_every_endpoint_is_listed() -> None:
    listed = words_of_table("endpoint")
    served = {path.removeprefix("/derivatives/api/v3/") for _, path in ROUTES if not path.endswith("/")}
    served |= {re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", pattern.pattern.replace("\\", "")).removesuffix("/?") for _, pattern, _ in PATTERNS}

    assert listed == {path.removeprefix("/derivatives/api/v3/").replace("v[23]", "v3") for path in served}
