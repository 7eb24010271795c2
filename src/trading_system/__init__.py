"""TradingSystem: a single-process daemon that trades crypto futures on Kraken Futures and can prove what it did."""

__version__ = "0.1.0"
