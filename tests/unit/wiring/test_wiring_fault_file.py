"""The file of faults: read whole, or refused with the entry and what would be right."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from trading_system.domain.errors import ConfigError
from trading_system.sim.kraken_server.faults import Fault, FaultKind
from trading_system.sim.read_models import ReadDelays
from trading_system.sim.variants import ExchangeVariants, LiquidationStyle
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


@pytest.mark.parametrize("kind", FaultKind)
def test_every_kind_of_fault_can_be_asked_for_in_a_file(tmp_path: Path, kind: FaultKind) -> None:
    text = f"faults:\n  - {{kind: {kind.value}, path: sendorder, word: notFound, reason: INVALID_PRICE, http: 500, delay_s: 1, seed: 3}}\n"

    assert read_faults(written(tmp_path, text)).faults == (
        Fault(kind, "sendorder", word="notFound", reason="INVALID_PRICE", http=500, delay_s=1.0, seed=3),
    )


def test_the_kind_of_venue_may_stand_beside_the_faults(tmp_path: Path) -> None:
    text = "variants: {liquidation: full, price_collar: null, dislocation: 0.1, stop_word: stop, batch_max: 10, heartbeat_s: 30}\n"

    assert read_faults(written(tmp_path, text)).variants == ExchangeVariants(
        liquidation=LiquidationStyle.FULL, price_collar=None, dislocation=Decimal("0.1"), stop_word="stop", batch_max=10, heartbeat_s=30.0
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("faults:\n  - {kind: rain}\n", "fault 1: unknown kind 'rain'"),
        ("faults:\n  - {kind: delayed}\n  - {kind: delayed, when: 5}\n", "fault 2: unknown fields"),
        ("faults:\n  - delayed\n", "fault 1: must be a mapping"),
        ("- {kind: delayed}\n", "top level"),
        ("faults:\n  - {kind: refused}\n", "needs word"),
        ("faults:\n  - {kind: delayed, delay_s: soon}\n", "fault 1: delay_s 'soon': must be seconds from 0 to 3600"),
        ("read_delays: {orders_ms: -1}\n", "orders_ms -1: must be whole milliseconds, 0 to 60000"),
        ("read_delays: {fills_ms: soon}\n", "fills_ms 'soon': must be whole milliseconds, 0 to 60000"),
        ("read_delays: {books_ms: 1}\n", "unknown read delays ['books_ms']; known are orders_ms, positions_ms, fills_ms"),
        ("read_delays: 800\n", "read_delays 800: must be a mapping"),
        ("clock_offset_s: soon\n", "clock_offset_s 'soon': must be seconds from -3600 to 3600"),
        ("variants: {weather: fine}\n", "unknown switches ['weather']; known are liquidation, "),
        ("variants: {liquidation: gentle}\n", "liquidation 'gentle': must be partial or full"),
        ("variants: {has_fee_tiers: 1}\n", "has_fee_tiers 1: must be true or false"),
        ("variants: {price_collar: wide}\n", "price_collar 'wide': must be a number, or null"),
        ("variants: {fills_page: many}\n", "fills_page 'many': must be a whole number"),
        ("variants: {stop_word: halt}\n", "stop_word is stp or stop"),
        ("variants: [stop]\n", "variants ['stop']: must be a mapping"),
        ("fault: []\n", "unknown ['fault']: must hold a list named `faults:`"),
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
