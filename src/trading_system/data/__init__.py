"""Market data: which markets may be traded, their closed bars, and whether a quote may be believed. Knows ports only."""
