"""The file of faults: read whole, or refused with the entry and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from trading_system.domain.errors import ConfigError
from trading_system.sim.kraken_server.faults import Fault, FaultKind
from trading_system.wiring.fault_file import read_faults


def written(folder: Path, text: str) -> Path:
    path = folder / "faults.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "faults:\n  - {kind: answer_lost, path: sendorder, probability: 0.1, count: 20, seed: 7}\n"
        "  - kind: delayed\n    delay_s: 0.5\n    count: null\n",
        '{"faults": [{"kind": "answer_lost", "path": "sendorder", "probability": 0.1, "count": 20, "seed": 7},'
        ' {"kind": "delayed", "delay_s": 0.5, "count": null}]}',
    ],
    ids=["yaml", "json"],
)
def test_faults_are_read_in_order(tmp_path: Path, text: str) -> None:
    assert read_faults(written(tmp_path, text)) == (
        Fault(FaultKind.ANSWER_LOST, "sendorder", count=20, probability=0.1, seed=7),
        Fault(FaultKind.DELAYED, count=None, delay_s=0.5),
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("faults:\n  - {kind: rain}\n", "fault 1: unknown kind 'rain'"),
        ("faults:\n  - {kind: delayed}\n  - {kind: delayed, when: 5}\n", "fault 2: unknown fields"),
        ("faults:\n  - delayed\n", "fault 1: must be a mapping"),
        ("- {kind: delayed}\n", "top level"),
        ("fault: []\n", "one list named `faults:`"),
        ("faults: yes\n", "one list named `faults:`"),
        ("faults: [\n", "not YAML"),
        ("", "one list named `faults:`"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_with_its_name_and_the_entry(tmp_path: Path, text: str, why: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as refused:
        read_faults(path)

    assert str(path) in str(refused.value)
    assert why in str(refused.value)
