"""Generated histories on disk, one file per (seed, start): made once, read in a moment, replaced atomically.

A file that is torn, foreign or of another version is ignored and made anew; it never stops a start.
"""

from __future__ import annotations

import json
import os
import zlib
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from trading_system.sim.market_catalog import CoinModel
from trading_system.sim.market_history import CoinHistory, MarketHistory, generate_history

_VERSION: Final = 1


def load_or_generate(
    cache_dir: Path | None, seed: int, start_ms: int, coins: Sequence[CoinModel], progress: Callable[[str], None]
) -> MarketHistory:
    """The history of (seed, start); cache_dir None = no cache."""
    if cache_dir is None:
        return generate_history(seed, start_ms, coins, progress)
    path = cache_dir / f"market-{seed}-{start_ms}.bin"
    symbols = [coin.spec.symbol for coin in coins]
    cached = _read(path, symbols)
    if cached is not None:
        progress(f"market history read from {path}")
        return cached
    made = generate_history(seed, start_ms, coins, progress)
    try:
        _write(path, made, symbols)
    except OSError as error:
        progress(f"market history could not be kept in {path}: {error}")
    return made


def _write(path: Path, history: MarketHistory, symbols: list[str]) -> None:
    body = b"".join(flat.tobytes() for coin in history.coins for flat in (coin.quarters, coin.hours))
    header = {
        "version": _VERSION,
        "seed": history.seed,
        "start_ms": history.start_ms,
        "symbols": symbols,
        "factor": history.factor,
        "coins": [[len(coin.quarters), len(coin.hours), coin.log_price, coin.walk] for coin in history.coins],
        "crc": zlib.crc32(body),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    # one name per process: runs side by side may write the same history
    part = path.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as file:
        file.write(json.dumps(header).encode() + b"\n")
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _read(path: Path, symbols: list[str]) -> MarketHistory | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    line, _, body = data.partition(b"\n")
    try:
        header: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    if header.get("version") != _VERSION or header.get("symbols") != symbols or header.get("crc") != zlib.crc32(body):
        return None
    coins, at = [], 0
    for quarters, hours, log_price, walk in header["coins"]:
        flats = []
        for count in (quarters, hours):
            flat = array("d")
            flat.frombytes(body[at : at + count * 8])
            at += count * 8
            flats.append(flat)
        coins.append(CoinHistory(flats[0], flats[1], walk, log_price))
    return MarketHistory(header["seed"], header["start_ms"], header["factor"], tuple(coins))
