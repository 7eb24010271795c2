"""The file of faults: read whole, or refused with the entry and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from trading_system.domain.errors import ConfigError
from trading_system.sim.kraken_server.faults import Fault, FaultKind
from trading_system.sim.read_models import ReadDelays
from trading_system.wiring.fault_file import FaultScript, read_faults


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
    assert read_faults(written(tmp_path, text)).faults == (
        Fault(FaultKind.ANSWER_LOST, "sendorder", count=20, probability=0.1, seed=7),
        Fault(FaultKind.DELAYED, count=None, delay_s=0.5),
    )


def test_lagging_listings_and_a_clock_that_is_off_may_stand_beside_the_faults(tmp_path: Path) -> None:
    text = "read_delays: {orders_ms: 800, fills_ms: 400}\nclock_offset_s: -2.5\n"
    text += "faults:\n  - {kind: refused, path: sendorder, word: selfFill}\n"

    assert read_faults(written(tmp_path, text)) == FaultScript(
        (Fault(FaultKind.REFUSED, "sendorder", word="selfFill"),), ReadDelays(orders_ms=800, fills_ms=400), -2_500
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("faults:\n  - {kind: rain}\n", "fault 1: unknown kind 'rain'"),
        ("faults:\n  - {kind: delayed}\n  - {kind: delayed, when: 5}\n", "fault 2: unknown fields"),
        ("faults:\n  - delayed\n", "fault 1: must be a mapping"),
        ("- {kind: delayed}\n", "top level"),
        ("faults:\n  - {kind: refused}\n", "needs word"),
        ("faults: []\nread_delays: {orders_ms: -1}\n", "0 to 60000 ms"),
        ("faults: []\nread_delays: {books_ms: 1}\n", "books_ms"),
        ("clock_offset_s: soon\n", "must be seconds"),
        ("fault: []\n", "a list named `faults:`"),
        ("faults: yes\n", "a list named `faults:`"),
        ("faults: [\n", "not YAML"),
        ("", "a list named `faults:`"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_with_its_name_and_the_entry(tmp_path: Path, text: str, why: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as refused:
        read_faults(path)

    assert str(path) in str(refused.value)
    assert why in str(refused.value)
