"""Orders, positions and the journal they are written in: never lose a position, never naked, never send twice, always say why."""
