"""Shipped configuration: the schema is current, commented defaults are the real ones, and nothing is missing."""

from __future__ import annotations

import re
import subprocess
import sys
from decimal import Decimal
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from trading_system.config.fields import Section
from trading_system.config.layers import leaf_paths
from trading_system.config.schema import schema_text
from trading_system.config.settings import Settings
from trading_system.config.yaml_source import YamlDocument, read_yaml

CONFIG = Path(__file__).parents[2] / "config"
FILES = ("config.yaml", "safety.yaml")
COMMENTED = re.compile(r"^(\s*)#(?=[a-z_0-9]+:)")


def commented_defaults(name: str) -> tuple[YamlDocument, set[int]]:
    """The file with every `#key: value` line made active, and the numbers of those lines."""
    lines = (CONFIG / name).read_text(encoding="utf-8").splitlines()
    numbers = {number for number, line in enumerate(lines, start=1) if COMMENTED.match(line)}
    return read_yaml("\n".join(COMMENTED.sub(r"\1", line) for line in lines), name, {}), numbers


def as_plain(value: Any) -> Any:
    """Settings as a YAML file would hold them."""
    if isinstance(value, Section):
        return {name: as_plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, tuple):
        return [as_plain(item) for item in value]
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value


def as_decimals(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: as_decimals(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_decimals(item) for item in value]
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value


def test_the_schema_file_is_what_the_settings_say() -> None:
    assert (CONFIG / "config.schema.json").read_text(encoding="utf-8") == schema_text(), "run: make schema"


@pytest.mark.parametrize("name", FILES)
def test_the_first_line_names_the_schema_for_editors(name: str) -> None:
    assert (CONFIG / name).read_text(encoding="utf-8").splitlines()[0] == "# yaml-language-server: $schema=config.schema.json"


@pytest.mark.parametrize("name", FILES)
def test_a_commented_line_shows_the_real_default(name: str) -> None:
    document, numbers = commented_defaults(name)
    defaults = Settings()
    wrong = {}
    for path, line in document.lines.items():
        if line in numbers and all(part in dir_of(defaults, path[:index]) for index, part in enumerate(path)):
            shown = as_decimals(reduce(lambda holder, part: holder[part], path, document.values))
            real = as_plain(reduce(getattr, path, defaults))
            if shown != real:
                wrong[".".join(path)] = (shown, real)

    assert wrong == {}


def dir_of(defaults: Settings, path: tuple[str, ...]) -> set[str]:
    holder: Any = reduce(getattr, path, defaults)
    return set(type(holder).model_fields) if isinstance(holder, Section) else set()


def test_every_key_is_in_the_shipped_files_and_nothing_else() -> None:
    listed = {path for name in FILES for path in commented_defaults(name)[0].lines}
    keys = set(leaf_paths())
    known = {path[:length] for path in keys for length in range(1, len(path) + 1)}
    # a section that is null by default is named as a whole
    missing = {path for path in keys if path not in listed and path[:-1] not in listed}

    assert {".".join(path) for path in missing} == set()
    assert {".".join(path) for path in listed - known if path[:-1] in known} == set()


def test_safety_yaml_holds_the_safety_section_only() -> None:
    assert set(commented_defaults("safety.yaml")[0].values) == {"safety"}
    assert "safety" not in commented_defaults("config.yaml")[0].values


def test_settings_do_not_import_the_exchange_or_the_database() -> None:
    code = "import sys, trading_system.config.load; print(sorted({'ccxt', 'sqlalchemy', 'aiohttp', 'structlog'} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
