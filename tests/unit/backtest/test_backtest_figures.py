"""Figures from trade rows: how they are split, what stands beside them, and that files of trades give the same ones again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from trading_system.backtest.figures import figures_of
from trading_system.backtest.result import plain
from trading_system.backtest.trades import TradeRow, as_mapping, check_trades_path, read_trades, write_trades
from trading_system.domain.errors import ConfigError

START = datetime(2025, 1, 1, tzinfo=UTC)
END = START + timedelta(days=10)
D = Decimal


def a_row(day: float, net: str, **changes: Any) -> dict[str, Any]:
    """A trade that risks 100 USD, opened `day` days after the start and closed two hours later; fees 5, funding 1."""
    opened = START + timedelta(days=day)
    values: dict[str, Any] = {
        "position_id": f"BTC-{opened:%Y%m%d%H%M}",
        "symbol": "BTC/USD",
        "direction": "long",
        "regime": "tight_smc",
        "tier": "A",
        "setup": "ob bos",
        "score": 80.0,
        "signal_at": opened.isoformat(),
        "opened_at": opened.isoformat(),
        "closed_at": (opened + timedelta(hours=2)).isoformat(),
        "entry_price": D(100),
        "exit_price": D(101),
        "stop_price": D(98),
        "qty": D(50),
        "gross_pnl": D(net) + 6,
        "fees": D(5),
        "funding": D(1),
        "net_pnl": D(net),
        "entry_slippage_usd": D(2),
        "risk_usd": D(100),
        "r_multiple": float(D(net) / 100),
        "gross_r": float((D(net) + 6) / 100),
        "exit_reason": "stop",
    }
    return as_mapping(TradeRow(**{**values, **changes}))


ROWS = [
    a_row(1, "150"),
    a_row(2, "-106", direction="short", tier="C"),
    a_row(6, "-106", regime="wide_structure"),
    a_row(7, "94", direction="short", regime=None),
]


def tables(rows: list[dict[str, Any]], other: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return figures_of(rows, other, start=START, end=END, seed=1, rounds=200)


def test_every_part_holds_the_trades_that_belong_to_it() -> None:
    found = tables(ROWS)

    counts = {name: {part: cell["trades"] for part, cell in parts.items()} for name, parts in found.items()}
    assert counts == {
        "all": {"all": 4},
        "half": {"first": 2, "second": 2},
        "regime": {"none": 1, "tight_smc": 2, "wide_structure": 1},
        "side": {"long": 2, "short": 2},
        "tier": {"A": 3, "C": 1},
    }
    assert found["half"]["first"]["expectancy_r"] == pytest.approx((1.5 - 1.06) / 2)


def test_a_trade_belongs_to_the_half_in_which_it_was_opened() -> None:
    just_before = a_row(5 - 1 / 24, "10")  # closed in the second half

    assert tables([just_before])["half"].keys() == {"first"}


def test_costs_are_told_in_r_and_as_a_share_of_gross_profit() -> None:
    cell = tables(ROWS)["all"]["all"]

    assert (cell["fees_r"], cell["funding_r"], cell["entry_slippage_r"]) == pytest.approx((0.05, 0.01, 0.02))
    assert cell["cost_share"] == pytest.approx(4 * 6 / (156 + 100))
    assert cell["gross_expectancy_r"] - cell["expectancy_r"] == pytest.approx(0.06)


def test_the_random_entry_stands_beside_every_mean_with_what_the_timing_is_worth() -> None:
    other = [a_row(1, "50"), a_row(8, "-50", direction="short")]

    found = tables(ROWS, other)

    cell = found["all"]["all"]
    assert (cell["random_entry"]["trades"], cell["random_entry"]["expectancy_r"]) == (2, 0.0)
    assert cell["advantage_r"] == pytest.approx(cell["expectancy_r"])
    assert cell["advantage_r_95"]["low"] <= cell["advantage_r"] <= cell["advantage_r_95"]["high"]
    assert found["tier"]["C"]["random_entry"]["trades"] == 0
    assert found["tier"]["C"]["advantage_r"] is None
    assert all("random_entry" in cell for parts in found.values() for cell in parts.values())


def test_an_interval_does_not_depend_on_which_other_parts_there_are() -> None:
    longs = [row for row in ROWS if row["direction"] == "long"]

    assert tables(ROWS)["side"]["long"] == tables(longs)["all"]["all"]


@pytest.mark.parametrize("name", ["trades.csv", "trades.jsonl"])
def test_a_file_of_trades_gives_the_same_figures_again(name: str, tmp_path: Path) -> None:
    rows = [*ROWS, a_row(9, "1", exit_price=None, r_multiple=None, gross_r=None, risk_usd=D(0))]

    write_trades(tmp_path / name, rows)

    again = read_trades(tmp_path / name)
    assert len(again) == 5
    assert D(again[1]["net_pnl"]) == D("-106")
    with_r = [row for row in again if row["r_multiple"] not in (None, "")]
    usual = [{**row, "regime": row["regime"] or None} for row in with_r]
    assert plain(tables(usual)) == plain(tables(ROWS))


def test_a_trades_file_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ends with \.csv or \.jsonl"):
        check_trades_path(tmp_path / "trades.xlsx")
