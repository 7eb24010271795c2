"""The import contracts cover every module that only decides, also those that were written after the contract."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PURE = (
    "domain",
    "strategy",
    "portfolio",
    "risk",
    "execution.position_state",
    "execution.reconcile",
    "execution.protection",
    "safety.invariants",
    "safety.auto_recovery",
)


def contract(name: str) -> dict[str, list[str]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found: dict[str, list[str]] = next(c for c in settings["tool"]["importlinter"]["contracts"] if c["name"] == name)
    return found


def test_every_module_that_decides_is_under_the_contract_that_forbids_io() -> None:
    source = ROOT / "src" / "trading_system"
    there = [name for name in PURE if (source / f"{name.replace('.', '/')}.py").is_file() or (source / name).is_dir()]
    covered = {name.removeprefix("trading_system.") for name in contract("Decisions do no I/O")["source_modules"]}

    assert [name for name in there if name not in covered] == [], "add it to the contract in pyproject.toml"


def test_the_contract_forbids_time_chance_and_the_network() -> None:
    forbidden = {"asyncio", "aiohttp", "sqlalchemy", "time", "random", "uuid", "logging"}

    assert forbidden <= set(contract("Decisions do no I/O")["forbidden_modules"])


def test_every_room_is_in_the_layers() -> None:
    rooms = {path.name for path in (ROOT / "src" / "trading_system").iterdir() if (path / "__init__.py").is_file()}
    layers = " ".join(contract("Imports go downward only")["layers"]).replace("|", " ").replace("(", " ").replace(")", " ").split()

    assert rooms - set(layers) == set()
