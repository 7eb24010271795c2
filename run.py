"""Starts TradingSystem: `python run.py VERB`, see `python run.py --help`."""

import sys

from trading_system.app.cli import main

# guarded, since worker processes import this file
if __name__ == "__main__":
    sys.exit(main())
