"""What the safety rules promise in figures: recovery by itself, the kill switch's seconds, the budget of protective calls, the breaker."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from daemon_driver import play
from raw_venue import Asked, Raw
from scenario_ending import Ending
from scenario_parts import BTC, ETH, START_MS, At, Scenario, Wish, crash, drop_stops, limit_by_hand, operator, reads_flood, remove, touch
from scripted_wire import On, RequestLost
from test_incident_limits import coins, listed

from trading_system.domain import events as ev
from trading_system.domain.modes import Mode
from trading_system.domain.orders import Side
from trading_system.domain.positions import PositionState
from trading_system.torture.venue_log import Cancelled
from trading_system.wiring.control_protocol import HaltOrder, ResumeOrder

D = Decimal
TWO = {BTC: {0: 80_000.0}, ETH: {0: 3_000.0}}
POST_ONLY = {"execution": {"entry_type": "limit_post_only"}}


def second_of(at_ms: int) -> float:
    return (at_ms - START_MS) / 1000


# --- recovery by itself -------------------------------------------------------------------------------------------------


def utilisation(share: str) -> Callable[[Any], Any]:
    """The venue's own margin figure is this share of the margin equity."""

    def edit(payload: Any) -> Any:
        flex = payload["accounts"]["flex"]
        return payload | {"accounts": {"flex": flex | {"initialMarginWithOrders": flex["marginEquity"] * D(share)}}}

    return edit


def at_least(end: Ending, mode: Mode) -> list[float]:
    return [at for at, now in end.mode_changes if now is mode]


def test_a_margin_halt_ends_by_itself_after_five_minutes_of_calm_and_not_before() -> None:
    end = play(Scenario(raw=(Raw("accounts", utilisation("0.93"), from_s=60, to_s=100),), until_s=700))

    halted, recovered = at_least(end, Mode.KILL_SWITCH), at_least(end, Mode.NORMAL)[1:]
    assert (len(halted), len(recovered)) == (1, 1), end.mode_changes
    assert 300 <= recovered[0] - halted[0] <= 361, "the first cycle in which it is five minutes old"
    assert end.logged("AUTO_RECOVERY: Clearing kill switch")
    assert end.told("AUTO_RECOVERY")
    assert [kind for kind, _, _ in end.limits()] == ["tp1", "tp2"], "back after their ten minutes"
    assert end.words().count("stop placed") == 1


def test_a_margin_halt_stays_while_the_margin_is_not_below_its_limit() -> None:
    """0.86 is below the halt at 0.92 and not below 0.85."""
    calm = Raw("accounts", utilisation("0.86"), from_s=101)
    end = play(Scenario(raw=(Raw("accounts", utilisation("0.93"), from_s=60, to_s=100), calm), until_s=600))

    assert end.modes[-1] is Mode.KILL_SWITCH
    assert not end.logged("AUTO_RECOVERY: Clearing kill switch")


def test_the_third_margin_halt_of_a_day_waits_for_a_human_also_after_a_crash() -> None:
    bursts = tuple(Raw("accounts", utilisation("0.93"), from_s=at, to_s=at + 60) for at in (60, 520, 1_000))
    end = play(Scenario(raw=bursts, acts=(At(940, crash()),), until_s=1_500))

    assert end.lives == 2
    assert len(end.logged("AUTO_RECOVERY: Clearing kill switch")) == 2
    assert end.modes[-1] is Mode.KILL_SWITCH
    assert end.logged("Auto-recovery: daily limit reached")
    assert len(end.stops()) == 1


@pytest.mark.parametrize("halt", [operator(HaltOrder("drill")), touch("KILL_SWITCH")], ids=["operator", "file"])
def test_a_halt_that_is_not_about_margin_never_ends_by_itself(halt: Callable[[Any], None]) -> None:
    end = play(Scenario(acts=(At(60, halt), At(70, lambda world: (world.data_dir / "KILL_SWITCH").unlink(missing_ok=True))), until_s=700))

    assert end.modes == [Mode.NORMAL, Mode.KILL_SWITCH]


# --- the kill switch ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("restarts", [False, True])
def test_the_kill_switch_takes_entries_and_targets_within_five_seconds_and_every_stop_rests_on(restarts: bool) -> None:
    """Two positions with stops and targets and an entry that rests; the owner's own limit is nobody's business."""
    end = play(
        Scenario(
            prices={BTC: {0: 80_000.0}, ETH: {0: 3_000.0, 20: 2_999.0}},
            wishes=(Wish(ETH), Wish(BTC, at_s=900)),
            settings=POST_ONLY,
            acts=(
                At(905, limit_by_hand(Side.BUY, "0.01", "70000")),
                At(910, touch("KILL_SWITCH")),
                *((At(912, crash()),) if restarts else ()),
                At(1_000, operator(ResumeOrder("looked"))),
                At(1_010, remove("KILL_SWITCH")),
            ),
            until_s=1_100,
        )
    )

    gone = [record for record in end.records if isinstance(record, Cancelled) and record.status == "cancelled"]
    assert [record.order.cli_ord_id is not None for record in gone if record.order] == [True] * 3, end.tale()
    assert all(second_of(record.at_ms) <= 915 for record in gone)
    assert end.position(ETH) > 0
    assert end.stops(ETH)[0][0] == end.position(ETH)
    assert "stop cancelled" not in end.words()
    assert end.limits(BTC) == [("foreign", D("0.01"), D(70_000))]
    assert "still exists" in end.answers[0]
    assert end.modes[-1] is Mode.KILL_SWITCH, "the file's going alone resumes nothing"


# --- the budget ---------------------------------------------------------------------------------------------------------


def spent(asked: tuple[Asked, ...], is_read: bool, window_s: float = 10.0) -> int:
    """The most points in any window."""
    rows = [a for a in asked if a.points and (a.endpoint not in ("sendorder", "editorder", "cancelorder")) == is_read]
    return max(sum(b.points for b in rows if a.at_s <= b.at_s < a.at_s + window_s) for a in rows)


def test_fault_e04_protective_orders_wait_less_than_a_second_under_a_flood_of_reads() -> None:
    """The process asks for lists as fast as it can while a resting entry fills."""
    end = play(
        Scenario(
            prices={BTC: {0: 80_000.0, 910: 79_990.0, 925: 80_000.0}},
            wishes=(Wish(at_s=900),),
            raw=(),
            settings=POST_ONLY,
            acts=(At(905, reads_flood(30)),),
            until_s=1_000,
        )
    )

    sends = {a.params["cliOrdId"]: a.at_s for a in end.asked if a.endpoint == "sendorder"}
    intended = {e.order.client_order_id: (e.at.timestamp() * 1000 - START_MS) / 1000 for e in end.of(ev.OrderIntended)}
    stops = [key for key in sends if "-sl-" in key]
    assert stops
    assert all(0 <= sends[key] - intended[key] < 1 for key in stops)
    assert end.naked_s() <= 1
    assert spent(end.asked, is_read=True) <= 350, "reads stop long before the reserve; only the polls' own looks go on"
    assert not [a for a in end.asked if a.is_refused], "the venue never had to say so"
    assert [p.state for p in end.positions] == [PositionState.PROTECTED]


def limit_said() -> Callable[[Any], Any]:
    def edit(payload: Any) -> Any:
        return {"result": "error", "error": "apiLimitExceeded"}

    return edit


def test_fault_e04_one_word_of_an_empty_budget_does_not_blind_the_protection_loop() -> None:
    """One read is told apiLimitExceeded and the stop vanishes right after: looks went on pausing for a whole window, and X was missed."""
    end = play(
        Scenario(
            prices={BTC: {0: 80_000.0}},
            raw=(Raw("accounts", limit_said(), times=1, from_s=60),),
            acts=(At(63, drop_stops(BTC)),),
            feed_mute=((62, 200),),
            until_s=200,
        )
    )

    assert end.stops(BTC) == [(D("0.1250"), D(79_200))]
    assert end.naked_s(BTC) <= 8, end.tale()
    looks = [a.at_s for a in end.asked if a.endpoint == "openorders" and 60 < a.at_s < 75]
    assert all(b - a <= 3.5 for a, b in pairwise(looks)), looks


def test_fault_e04_a_stop_that_vanishes_under_a_flood_of_reads_is_seen_and_placed_in_time() -> None:
    """Other reads have eaten all that reads may have: the look of each poll and the stop still go, and none waits a second."""
    end = play(
        Scenario(
            prices={BTC: {0: 80_000.0}},
            raw=(),
            acts=(At(60, reads_flood(60)), At(75, drop_stops(BTC))),
            feed_mute=((61, 200),),
            until_s=200,
        )
    )

    assert end.stops(BTC) == [(D("0.1250"), D(79_200))]
    assert end.naked_s(BTC) <= 8, end.tale()
    sends = {a.params["cliOrdId"]: a.at_s for a in end.asked if a.endpoint == "sendorder"}
    intended = {e.order.client_order_id: second_of(int(e.at.timestamp() * 1000)) for e in end.of(ev.OrderIntended)}
    assert all(0 <= sends[key] - intended[key] < 1 for key in sends if "-sl-" in key)
    assert not [a for a in end.asked if a.is_refused]


# --- storms -------------------------------------------------------------------------------------------------------------


def test_fault_e06_a_storm_of_entries_is_cut_at_the_wire_and_not_one_stop_is() -> None:
    """Twelve at once with every cap of strategy and risk opened wide: the budget of entries ends before that of stops."""
    prices = coins(12)
    end = play(
        Scenario(
            prices=prices,
            specs=listed(prices),
            wishes=tuple(Wish(symbol) for symbol in prices),
            raw=(),
            settings={
                "risk": {"risk_per_trade": "0.002", "opens_per_hour_max": 20, "opens_per_day_max": 20},
                "auction": {"positions_max": 12, "cluster_positions_max": 12, "opens_per_cycle_max": 12, "trades_per_cycle_max": 12},
                "safety": {"positions_degraded": 13, "positions_halt": 14},
            },
            until_s=50,
        )
    )

    entries = [a for a in end.asked if a.endpoint == "sendorder" and "-en-" in a.params["cliOrdId"]]
    held = [symbol for symbol in prices if end.position(symbol) != 0]
    assert len(entries) == len(held) <= 10
    assert all(end.stops(symbol)[0][0] == end.position(symbol) for symbol in held)
    kept_back = {e.client_order_id.rsplit("-", 2)[1] for e in end.of(ev.OrderRejected) if e.reason.startswith("local:")}
    assert "en" in kept_back
    assert "sl" not in kept_back


def test_a_resume_with_an_unknown_order_under_way_keeps_its_symbol_blocked() -> None:
    end = play(
        Scenario(
            wire=(On("entry", RequestLost()),),
            acts=(At(5, operator(HaltOrder("drill"))), At(10, operator(ResumeOrder("drill over")))),
            until_s=200,
        )
    )

    assert end.answers == ("", "")
    assert [p.state for p in end.positions] == [PositionState.CANCELLED]
    assert not end.exchange.open_orders()
