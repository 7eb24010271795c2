"""Finds a folder of real candles for tests. The data is not part of the project; where it is absent such tests skip."""

from __future__ import annotations

import os
from pathlib import Path


def find_market_data() -> Path | None:
    """TS_MARKET_DATA when set; else a folder beside the checkout that holds `data/manifest.csv`; else None."""
    named = os.environ.get("TS_MARKET_DATA")
    if named:
        return Path(named) if Path(named).is_dir() else None
    root = Path(__file__).resolve().parents[1]
    for manifest in sorted(root.parent.glob("*/data/manifest.csv")):
        return manifest.parent
    # a clean checkout of the same tree may lie one level deeper
    for manifest in sorted(root.parent.parent.glob("*/data/manifest.csv")):
        return manifest.parent
    return None
