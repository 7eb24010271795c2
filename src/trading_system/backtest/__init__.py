"""Drives the very same LiveTrading over the in-process exchange and virtual time."""
