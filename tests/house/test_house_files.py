"""The house keeps its shape: small modules, one obvious place, names of the trade."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LINES_MAX = 500
# one-line packages say nothing about how large modules are
MODULES = [path for path in SOURCE if path.name != "__init__.py"]


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_file_is_longer_than_500_lines() -> None:
    assert {str(path.relative_to(ROOT)): lines_of(path) for path in [*SOURCE, *TESTS] if lines_of(path) > LINES_MAX} == {}


def test_half_of_the_modules_are_shorter_than_200_lines() -> None:
    assert median(lines_of(path) for path in MODULES) < 200


def test_no_module_is_a_drawer_for_odds_and_ends() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "misc", "tools"}

    assert [path for path in [*SOURCE, *TESTS] if {*path.relative_to(ROOT).parts[:-1], path.stem} & drawers] == []


def test_every_module_says_what_it_is_for() -> None:
    assert [str(path.relative_to(ROOT)) for path in SOURCE if not path.read_text(encoding="utf-8").startswith('"""')] == []


def test_test_files_have_names_of_their_own() -> None:
    names = Counter(path.name for path in TESTS if path.name.startswith("test_"))

    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"raise NotImplementedError", "a stub"),
        (r"\b(TODO|FIXME|XXX|HACK)\b", "a promise instead of code"),
        (r"# type: ignore(?!\[)", "a type error nobody named"),
        (r"^\s*except:\s", "a bare except"),
        (r"\bpickle\.|\beval\(|\bexec\(|yaml\.load\(|shell=True", "a door for foreign code"),
    ],
)
def test_the_source_has_none_of_these(pattern: str, why: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {why}: {line.strip()}"
        for path in SOURCE
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if re.search(pattern, line)
    ]

    assert found == []


def test_tests_use_fakes_and_no_patching_of_modules() -> None:
    pattern = re.compile(r"unittest\.mock|\bmock\.patch|\bmocker\b")

    assert [
        str(path.relative_to(ROOT)) for path in TESTS if path != Path(__file__) and pattern.search(path.read_text(encoding="utf-8"))
    ] == []


def test_no_path_of_a_developers_machine_is_in_the_project() -> None:
    pattern = re.compile(r"""(?<![\w./$}-])/(?:home|work|Users|root|mnt)/\w""")
    suffixes = {".py", ".md", ".yaml", ".toml", ".sh", ".service", ".json", ".ini", ""}
    folders = ("src", "tests", "docs", "config", "deploy", "scripts", ".ci")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix in suffixes]
    files += [path for path in ROOT.iterdir() if path.is_file() and path.suffix in suffixes and path.name not in {".env.local", ".git"}]

    assert [str(path.relative_to(ROOT)) for path in files if pattern.search(path.read_text(encoding="utf-8", errors="replace"))] == []
