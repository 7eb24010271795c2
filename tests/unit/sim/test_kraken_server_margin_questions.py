"""What an order would need, and how large one may be: answered as a later order finds it."""

from decimal import Decimal

import msgspec
import pytest

from fakes.kraken_server_rig import an_exchange
from trading_system.sim.exchange import SimExchange
from trading_system.sim.kraken_server.desk import Desk
from trading_system.sim.kraken_server.encoding import encode
from trading_system.sim.kraken_server.envelope import RequestRefused
from trading_system.sim.kraken_server.params import Params
from trading_system.sim.kraken_server.rest_margin import max_order_size, order_margin
from trading_system.sim.model import SendRequest

D = Decimal


def ask(exchange: SimExchange, **params: str) -> dict[str, float]:
    question = order_margin if "size" in params else max_order_size
    answer: dict[str, float] = msgspec.json.decode(encode(question(Desk(exchange, "account"), Params(params.items()))))
    return answer


def test_a_limit_order_needs_its_rate_of_what_it_is_worth() -> None:
    answer = ask(an_exchange(), orderType="lmt", symbol="PF_XBTUSD", side="buy", size="0.1", limitPrice="70000")

    assert answer == {"initialMargin": 140.0, "price": 70_000}


def test_an_order_that_only_reduces_needs_nothing() -> None:
    exchange = an_exchange()
    exchange.send(SendRequest("PF_XBTUSD", "mkt", "buy", D("0.1")))

    assert ask(exchange, orderType="mkt", symbol="PF_XBTUSD", side="sell", size="0.1")["initialMargin"] == 0


@pytest.mark.parametrize("held", ["0", "1", "2"])
@pytest.mark.parametrize("side", ["buy", "sell"])
def test_the_largest_size_is_accepted_and_the_next_step_is_not(held: str, side: str) -> None:
    exchange = an_exchange()
    if D(held):
        exchange.send(SendRequest("PF_XBTUSD", "mkt", "buy", D(held)))
    # a price that does not execute, so that nothing but margin decides
    limit = "79000" if side == "buy" else "81000"
    largest = D(str(ask(exchange, orderType="lmt", symbol="PF_XBTUSD", limitPrice=limit)[f"max{side.capitalize()}Size"]))

    words = [exchange.send(SendRequest("PF_XBTUSD", "lmt", side, size, limit_price=D(limit))).status for size in (largest + 1, largest)]

    assert largest > 0
    assert words == ["insufficientAvailableFunds", "placed"]


@pytest.mark.parametrize("held", ["0", "0.1"])
def test_an_isolated_market_is_asked_at_its_fixed_leverage(held: str) -> None:
    exchange = an_exchange()
    exchange.set_leverage("PF_XBTUSD", D(5))
    if D(held):
        exchange.send(SendRequest("PF_XBTUSD", "mkt", "buy", D(held)))
    largest = D(str(ask(exchange, orderType="lmt", symbol="PF_XBTUSD", limitPrice="79000")["maxBuySize"]))
    words = [exchange.send(SendRequest("PF_XBTUSD", "lmt", "buy", size, limit_price=D(79_000))).status for size in (largest + 1, largest)]

    assert ask(an_exchange(), orderType="lmt", symbol="PF_XBTUSD", side="buy", size="0.1", limitPrice="79000")["initialMargin"] == 158
    assert words == ["insufficientAvailableFunds", "placed"]


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"orderType": "lmt", "side": "buy"}, "requiredArgumentMissing"),
        ({"orderType": "stp", "side": "buy"}, "invalidArgument: orderType"),
        ({"orderType": "mkt", "side": "up"}, "invalidArgument: side"),
        ({"side": "buy"}, "requiredArgumentMissing"),
    ],
)
def test_a_question_that_cannot_be_read_is_refused(params: dict[str, str], word: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        ask(an_exchange(), symbol="PF_XBTUSD", size="1", **params)

    assert refused.value.error == word
