"""Names of positions and orders."""

from __future__ import annotations

import pytest

from execution_builders import BTC, at
from fakes.execution_venue import START
from trading_system.domain.orders import OrderPurpose, PositionId, VenueOrderId
from trading_system.domain.symbols import normalise
from trading_system.domain.units import to_ms
from trading_system.execution.order_ids import (
    LENGTH_MAX,
    OrderName,
    adopted_position_id,
    client_order_id,
    foreign_key,
    is_ours,
    parse_client_order_id,
    position_id_of,
)


@pytest.mark.parametrize("purpose", OrderPurpose)
@pytest.mark.parametrize(
    "position_id", [position_id_of(BTC, to_ms(START)), adopted_position_id(BTC, at(7)), position_id_of(normalise("1000PEPE"), 0)]
)
def test_a_name_is_taken_apart_into_what_it_was_made_of(position_id: PositionId, purpose: OrderPurpose) -> None:
    name = client_order_id(position_id, purpose, 12)

    assert parse_client_order_id(name) == OrderName(position_id, purpose, 12)
    assert is_ours(name)
    assert len(name) <= LENGTH_MAX


def test_the_same_arguments_give_the_same_name() -> None:
    position_id = position_id_of(BTC, to_ms(START))
    assert position_id == "BTC-202511210815"
    assert client_order_id(position_id, OrderPurpose.ENTRY, 1) == "ts-BTC-202511210815-en-1"


@pytest.mark.parametrize(
    "text", ["", "ts-", "my-order", "ts-BTC-202511210815-en-0", "ts-BTC-202511210815-xx-1", "x-ts-BTC-202511210815-en-1"]
)
def test_other_texts_are_not_ours(text: str) -> None:
    assert not is_ours(text)
    assert not is_ours(None)


def test_a_name_too_long_for_the_venue_or_without_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="client order id"):
        client_order_id(PositionId("B" * 100 + "-202511210815"), OrderPurpose.ENTRY, 1)
    with pytest.raises(ValueError, match="client order id"):
        client_order_id(PositionId("BTC-202511210815"), OrderPurpose.ENTRY, 0)


def test_the_key_of_a_foreign_order_is_never_taken_for_ours() -> None:
    assert not is_ours(foreign_key(VenueOrderId("ts-BTC-202511210815-en-1")))
