"""The coherence proof: what must be refused is refused, with a counter-example in words."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from trading_system.config.load import load_settings
from trading_system.config.proof import Proof, prove, render_proof
from trading_system.config.proof_sizes import EQUITIES, STOPS, TIERS, size_cell
from trading_system.config.proof_terms import value_at
from trading_system.config.settings import Settings

D = Decimal


def proof_with(**changes: Any) -> Proof:
    """The proof of the defaults with changed keys; `__` separates names: safety__positions_halt=8."""
    tree: dict[str, Any] = {}
    for name, value in changes.items():
        *parents, last = name.split("__")
        holder = tree
        for parent in parents:
            holder = holder.setdefault(parent, {})
        holder[last] = value
    base = Settings().model_dump()
    _merge(base, tree)
    return prove(Settings.model_validate(base))


def _merge(below: dict[str, Any], above: dict[str, Any]) -> None:
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            _merge(below[key], value)
        else:
            below[key] = value


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """A root with the shipped config folder and without anybody's .env.local."""
    (tmp_path / "config").symlink_to(Path(__file__).parents[3] / "config")
    return tmp_path


def failed_names(proof: Proof) -> set[str]:
    return {check.name for check in proof.failures}


def test_the_defaults_are_proved() -> None:
    proof = prove(Settings())

    assert proof.failures == ()
    assert render_proof(proof).endswith(f"PROVED: {len(proof.checks)} inequalities hold")


def test_every_inequality_has_a_name_of_its_own_or_of_its_step() -> None:
    formulas = [(check.name, check.formula) for check in prove(Settings()).checks]

    assert len(set(formulas)) == len(formulas)


@pytest.mark.parametrize(
    ("changes", "name", "words"),
    [
        (
            {"safety__margin_utilization_halt": "0.86", "risk__planned_utilization_max": "0.90"},
            "auction budget below the margin halt",
            "the auction may plan 0.9 of equity and the margin halt fires at 0.86: filling the budget fires the kill switch",
        ),
        ({"auction__positions_max": 25}, "auction positions below the halt count", "the auction opens up to 25 positions"),
        ({"safety__positions_degraded": 8}, "auction positions below the degraded count", "its own plan would switch entries off"),
        ({"safety__positions_halt": 9}, "degraded count below the halt count", "the halt comes without warning"),
        ({"safety__single_position_multiple": "0.9"}, "single-position gate below its invariant", "an allowed entry is a violation"),
        ({"safety__single_position_multiple": "1"}, "single-position gate below its invariant", "0.25"),
        ({"risk__open_notional_usd_max": 500000}, "open notional gate below its halt", "an allowed entry halts the system"),
        ({"risk__max_open_risk": "0.045"}, "open risk and slippage within the daily stop", "overrun before it can act"),
        ({"risk__risk_per_trade": "0.04"}, "risk per trade within open risk", "every full-size trade would be cut"),
        ({"risk__daily_loss_limit": "0.08"}, "daily stop within weekly", "one day may lose 0.08, a week only 0.07"),
        ({"risk__weekly_loss_limit": "0.2"}, "weekly stop within the drawdown halt", "the weekly stop never acts"),
        ({"safety__drawdown_degraded": "0.15"}, "degraded drawdown below its halt", "no step in between"),
        ({"safety__auto_recovery__utilization_max": "0.88"}, "auto-recovery at or below degraded margin", "fire and clear in turns"),
        ({"safety__margin_utilization_degraded": "0.91"}, "degraded margin within the auction budget", "never announced"),
        ({"multi_tp__split_default__runner": "0.30"}, "default shares sum to 1", "add up to 1.1 of the entry"),
        ({"auction__opens_per_cycle_max": 6}, "opens per cycle within opens per hour", "the auction would plan what the gate refuses"),
        ({"risk__opens_per_hour_max": 11}, "opens per hour within opens per day", "one hour may open 11"),
        ({"safety__protection__naked_s_max": 60}, "naked limit before the hard close", "before the stop had its 60 s"),
        ({"system__protection_poll_s": 15}, "protection polls before the naked limit", "cannot keep a promise"),
        ({"safety__protection__startup_grace_s": 30}, "hard close within the start-up grace", "ends before"),
        ({"exchange__protective_budget_share": "0.2"}, "protective share of the rate budget", "they need 0.3"),
        ({"strategy__ote_low": "0.8"}, "OTE band", "is empty"),
        ({"strategy__stop_distance_max": "0.2"}, "stops of the engine pass the gate", "the gate refuses beyond 0.1"),
        ({"risk__tiers__c__max_leverage": 6}, "tier C is no freer than tier B (max_leverage)", "the less liquid tier C"),
        (
            {"multi_tp__trailing_steps": [{"from_r": 0, "atr_multiple": 1}, {"from_r": 3, "atr_multiple": 2}]},
            "trailing step 1 trails tighter",
            "with more profit the stop would trail wider: 2 ATR after 1 ATR",
        ),
        ({"multi_tp__trailing_steps": []}, "trailing begins at 0 R", "no multiple is given"),
    ],
)
def test_a_contradiction_is_refused_in_words(changes: dict[str, Any], name: str, words: str) -> None:
    proof = proof_with(**changes)

    assert name in failed_names(proof)
    assert words in next(check.counter_example for check in proof.failures if check.name == name)
    assert "REFUSED: " in render_proof(proof).splitlines()[-1]


def test_a_margin_halt_of_085_with_an_auction_budget_of_090_is_refused() -> None:
    assert "auction budget below the margin halt" in failed_names(proof_with(safety__margin_utilization_halt="0.85"))


def test_a_larger_total_notional_cap_is_what_slippage_is_reckoned_on() -> None:
    cap = {"equity_share": "0.15", "floor_usd": "75"}

    assert not proof_with(risk__max_open_risk="0.048").holds
    assert proof_with(risk__max_open_risk="0.048", risk__total_notional=cap).holds


def test_every_invariant_names_a_gate_that_exists() -> None:
    for gate in prove(Settings()).gates:
        for part in gate.gate.split(", "):
            assert value_at(Settings(), part) > 0


def test_unreachable_limits_are_printed_inert() -> None:
    text = render_proof(prove(Settings()))

    assert "INERT risk.aggregate 2: on the margin basis risk.planned_utilization_max 0.9 stops first" in text
    assert "INERT risk.tiers.a.max_leverage 10: risk.max_leverage 7 is lower" in text


def test_on_the_notional_basis_the_aggregate_binds() -> None:
    proof = proof_with(risk__exposure_basis="notional", risk__aggregate="0.1", risk__single_position="0.1")

    assert not [item for item in proof.inert if item.limit.startswith("risk.aggregate")]


def test_the_size_scan_covers_every_cell() -> None:
    assert len(prove(Settings()).cells) == len(EQUITIES) * len(TIERS) * len(STOPS) == 99


@pytest.mark.parametrize(
    ("equity", "tier", "stop", "binding", "notional"),
    [
        ("10000", "A", "0.02", "risk.risk_per_trade", "5000"),
        ("10000", "C", "0.01", "risk.single_position", "5000"),
        ("100000000", "A", "0.02", "risk.tiers.a.notional_usd_max", "100000"),
    ],
)
def test_the_binding_limit_of_a_cell(equity: str, tier: Any, stop: str, binding: str, notional: str) -> None:
    cell = size_cell(Settings(), D(equity), tier, D(stop))

    assert (cell.binding, cell.notional) == (binding, D(notional))


def test_a_cell_in_which_the_smallest_allowed_size_exceeds_the_largest_is_dead() -> None:
    dead = prove(Settings()).dead_cells

    assert {(cell.equity, cell.stop) for cell in dead} == {(D("100"), D("0.1"))}
    assert "equity 100 USD tier A stop 10 %: risk.risk_per_trade allows 10 USD, the minimum is 10.01 USD" in render_proof(prove(Settings()))


def test_limits_that_leave_no_size_at_all_are_refused() -> None:
    cap = {"equity_share": "0.0005", "floor_usd": "5"}

    assert {f"tier {tier} can trade at 10000 USD" for tier in TIERS} <= failed_names(proof_with(risk__position_notional=cap))


@pytest.mark.parametrize("profile", [None, "launch", "research"])
def test_the_shipped_files_and_profiles_are_proved(shipped: Path, profile: str | None) -> None:
    assert prove(load_settings(profile=profile, env={}, root=shipped).settings).failures == ()


def test_the_launch_profile_is_the_one_for_the_first_weeks(shipped: Path) -> None:
    settings = load_settings(profile="launch", env={}, root=shipped).settings

    assert (settings.risk.daily_loss_limit, settings.risk.weekly_loss_limit) == (D("0.03"), D("0.07"))
    assert (settings.execution.entry_type, settings.execution.slippage_bps_max) == ("limit_post_only", D("50"))
    assert (settings.risk.trade_usd_min, settings.data.tick_guard.quote_age_s_max) == (D("15"), D("30"))
    assert settings.risk.position_notional is not None
    assert settings.risk.total_notional is not None
    assert (settings.risk.position_notional.equity_share, settings.risk.position_notional.floor_usd) == (D("0.05"), D("25"))
    assert (settings.risk.total_notional.equity_share, settings.risk.total_notional.floor_usd) == (D("0.15"), D("75"))


def test_the_research_profile_risks_what_the_defaults_risk_per_trade_and_no_loss_limit_can_act(shipped: Path) -> None:
    usual, research = Settings(), load_settings(profile="research", env={}, root=shipped).settings

    def usd(settings: Settings) -> Decimal:
        return settings.risk.risk_per_trade * settings.backtest.start_equity_usd

    assert usd(research) == usd(usual) == 100
    assert research.risk.daily_loss_limit / research.risk.risk_per_trade == 500, "losing trades in one day before the daily stop"
    streaks = research.risk.streaks
    assert streaks.loss_bps_of_equity_min / 10_000 / research.risk.risk_per_trade == 20, "R in one trade before a loss counts in a streak"
    assert (research.strategy, research.multi_tp, research.execution) == (usual.strategy, usual.multi_tp, usual.execution)
    assert research.backtest.only
