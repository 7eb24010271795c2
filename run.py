"""Starts TradingSystem: `python run.py VERB`, see `python run.py --help`."""

import sys

from trading_system.app.cli import main

sys.exit(main())
