"""Results of different markets put together: sums where sums are right, and a refusal where a whole would be a lie."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_backtest_figures import ROWS, a_row
from test_backtest_report import a_result

from trading_system.app.cli import main
from trading_system.backtest.measure import with_figures
from trading_system.backtest.merge import merge_results
from trading_system.backtest.result import plain
from trading_system.config.settings import Settings
from trading_system.domain.errors import ConfigError

ETH = a_row(0.5, "30", symbol="ETH/USD", position_id="ETH-202501011200")


def halves() -> tuple[dict[str, Any], dict[str, Any]]:
    """Two runs over different markets."""
    usual = a_result()
    random_entry = {**usual["random_entry"], "trades": plain([a_row(3, "10", position_id="ETH-1")])}
    funnel = {**usual["funnel"], "refused": {"SYMBOL_TAKEN": 4}}
    return usual, a_result(trades=[ETH], equity_end="1000030", funnel=funnel, random_entry=random_entry)


def test_counts_and_money_are_summed_and_trades_stand_in_the_order_of_their_close() -> None:
    one, other = halves()

    merged = merge_results([one, other])

    assert [trade["position_id"] for trade in merged["trades"]] == ["ETH-202501011200", *(row["position_id"] for row in ROWS)]
    assert (merged["symbols"], merged["judged"], merged["bars"]) == (104, 2 * 1_743_210, 2 * 1_815_552)
    assert (merged["fees"], merged["equity_start"], merged["equity_end"]) == ("20000.50", "1000000", "987684.321")
    assert merged["funnel"]["signals"] == 3000
    assert merged["funnel"]["refused"] == {"SIGNAL_COOLDOWN": 900, "SYMBOL_TAKEN": 100}
    assert merged["gate_shares"][0] == {"gate": "data", "reached": 2 * 1_743_210, "stopped": 2 * 43_210}
    assert len(merged["random_entry"]["trades"]) == 3


def test_the_figures_are_those_of_all_trades_and_the_order_of_the_parts_is_nothing() -> None:
    one, other = halves()

    merged, turned = (with_figures(merge_results(parts), Settings()) for parts in ([one, other], [other, one]))

    assert merged["figures"]["all"]["all"]["trades"] == 5
    assert merged["figures"] == turned["figures"]


def test_one_result_is_itself() -> None:
    assert merge_results([a_result()]) == a_result()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({}, "the trade BTC-202501020000 is there twice"),
        ({"engine": "donchian"}, "engine is smc and donchian"),
        ({"to": "2025-02-01T00:00:00+00:00"}, "different runs cannot be put together: to is"),
        ({"equity_start": "10000"}, "equity_start is 1000000 and 10000"),
    ],
)
def test_what_does_not_belong_together_is_refused(changes: dict[str, str], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        merge_results([a_result(), {**a_result(), **changes}])


def test_a_part_without_its_comparison_or_its_trades_is_refused() -> None:
    one, other = halves()
    with pytest.raises(ConfigError, match="with and without a random entry"):
        merge_results([one, {name: value for name, value in other.items() if name != "random_entry"}])
    with pytest.raises(ConfigError, match="without their trades"):
        merge_results([one, {name: value for name, value in other.items() if name != "trades"}])


def test_the_verb_puts_files_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = []
    for number, part in enumerate(halves()):
        paths.append(tmp_path / f"{number}.json")
        paths[-1].write_text(json.dumps(plain(part)), encoding="utf-8")

    assert main(["backtest", "--result", *map(str, paths)]) == 0
    assert "All trades: n 5 on 5 days" in capsys.readouterr().out
