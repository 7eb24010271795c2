"""History for people: trades, events, decisions, candles, equity. Written behind; a dead database delays it, never trading."""
