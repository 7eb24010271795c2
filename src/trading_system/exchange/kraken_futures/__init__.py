"""Kraken Futures (derivatives): REST v3, charts v1, history v3, WebSocket v1. Source of the protocol: Kraken's public API docs.

Nothing is imported here: ccxt costs a second of CPU and only a process that trades should pay it.
"""
