"""Fixtures of the contract suites."""

from postgres_fixture import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]
