"""The daemon on an exchange that somebody else runs: it must be on this machine, and its key pair must be there."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.command_line import CommandLine

pytestmark = pytest.mark.process


@pytest.mark.parametrize("address", ["https://futures.kraken.com", "http://127.0.0.1.example.org:80", "http://10.0.0.1:18999"])
def test_paper_on_the_embedded_exchange_never_reaches_another_machine(tmp_path: Path, address: str) -> None:
    keys = {"KRAKEN_FUTURES_API_KEY": "key", "KRAKEN_FUTURES_API_SECRET": "c2VjcmV0"}
    answer = CommandLine(tmp_path, {"TS_EXCHANGE__BASE_URL": address, **keys})("run", "--once")

    assert answer.code == 78
    assert "must be a loopback address" in answer.err_lines[-1]
    assert not (tmp_path / "data").exists()


def test_an_attached_exchange_without_its_key_pair_is_refused(tmp_path: Path) -> None:
    answer = CommandLine(tmp_path, {"TS_EXCHANGE__BASE_URL": "http://127.0.0.1:18999"})("run", "--once")

    assert answer.code == 78
    assert "KRAKEN_FUTURES_API_KEY" in answer.err_lines[-1]
    assert "Traceback" not in answer.err
