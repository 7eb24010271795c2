"""Our one ccxt class comes without the hundred others, and leaves ccxt whole for whoever imports it later."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from trading_system.exchange.kraken_futures.ccxt_client import RawKrakenFutures
alone = [name for name in sys.modules if name.startswith("ccxt.")]
assert len(alone) < 40, alone
assert "ccxt.async_support.binance" not in sys.modules
ours = RawKrakenFutures.__mro__[1]
import ccxt
import ccxt.async_support
assert len(ccxt.exchanges) > 90
assert ccxt.async_support.krakenfutures is ours
assert issubclass(ccxt.async_support.binance, ours.__mro__[1])
from ccxt.base.errors import BaseError
assert ccxt.BaseError is BaseError
"""

OTHER_LAYOUT = """
import sys
from trading_system.exchange.kraken_futures import ccxt_import
def refuse(root):
    raise ImportError("laid out otherwise")
ccxt_import._import_alone = refuse
ours = ccxt_import.import_krakenfutures()
import ccxt.async_support
assert ccxt.async_support.krakenfutures is ours
assert len(ccxt.exchanges) > 90
"""


def run(program: str) -> None:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr


def test_one_exchange_is_imported_and_ccxt_stays_whole_for_others() -> None:
    run(PROGRAM)


def test_another_layout_of_ccxt_is_imported_as_a_whole() -> None:
    run(OTHER_LAYOUT)
