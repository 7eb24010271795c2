"""A child process: the published SMC library over the bars of a file, timed. Prints one JSON object on its last line.

A process of its own, because the library greets on stdout when it is imported and brings pandas and a compiler with it.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from time import process_time
from typing import Any, Final

LIBRARY: Final = "smartmoneyconcepts"
RUNS: Final = 5
SWING_BARS: Final = 3


def main() -> None:
    try:
        pandas = importlib.import_module("pandas")
        library = importlib.import_module(LIBRARY)
        version = importlib.import_module("importlib.metadata").version(LIBRARY)
    except ImportError as error:
        print(json.dumps({"missing": str(error)}))
        return
    rows = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    frame = pandas.DataFrame(rows, columns=["open", "high", "low", "close", "volume"])
    smc = library.smc
    tell(smc, frame)  # compiles what is compiled
    samples = []
    for _ in range(RUNS):
        begun = process_time()
        tell(smc, frame)
        samples.append((process_time() - begun) * 1e3)
    print(json.dumps({"ms": samples, "version": version}))


def tell(smc: Any, frame: Any) -> None:
    """What our structure tells: swings, breaks, order blocks, gaps, swept liquidity."""
    swings = smc.swing_highs_lows(frame, swing_length=SWING_BARS)
    smc.bos_choch(frame, swings)
    smc.ob(frame, swings)
    smc.fvg(frame)
    smc.liquidity(frame, swings)


if __name__ == "__main__":
    main()
