"""The protocol front of the embedded exchange: Kraken Futures REST v3, charts, history and WebSocket v1 over a SimExchange.

It writes its JSON itself, from the public API documentation, and shares no code with the adapter that reads it: one
misreading cannot hide on both sides.
"""
