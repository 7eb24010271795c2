"""Every value with its origin."""

from __future__ import annotations

from pathlib import Path

from trading_system.config.layers import leaf_paths
from trading_system.config.load import load_settings
from trading_system.config.show import render_settings, settings_as_json


def test_every_key_is_shown_with_value_and_origin(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("\nrisk:\n  max_leverage: 5.50\n")
    loaded = load_settings([tmp_path / "mine.yaml"], env={"TS_SIM__SEED": "7"}, root=tmp_path)

    lines = [" ".join(line.split()) for line in render_settings(loaded).splitlines()]

    assert "risk.max_leverage = 5.5 [mine.yaml:3]" in lines
    assert "sim.seed = 7 [environment TS_SIM__SEED]" in lines
    assert "risk.single_position = 0.25 [default]" in lines
    assert "risk.position_notional = null [default]" in lines
    assert "multi_tp.split_default.tp1 = 0.4 [default]" in lines


def test_json_has_the_same_values(tmp_path: Path) -> None:
    shown = settings_as_json(load_settings(env={}, root=tmp_path))

    assert shown["settings"]["risk.planned_utilization_max"] == {"value": "0.9", "origin": "default"}
    assert shown["settings"]["multi_tp.trailing_steps"]["value"][0] == {"from_r": "0", "atr_multiple": "2"}


def test_every_leaf_has_an_origin(tmp_path: Path) -> None:
    loaded = load_settings(env={}, root=tmp_path)

    assert set(loaded.origins) == {".".join(path) for path in leaf_paths()}
