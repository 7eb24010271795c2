"""Modes, invariants, kill switch, latches and the single-instance lock."""
