"""`run.py exchange` as a person and as a program meet it: plain lines first, a table on a terminal only, an honest end."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import ccxt
import ccxt.async_support as ccxt_async
import pytest

from fakes.command_line import RUN_PY, CommandLine
from fakes.loopback_tls import a_loopback_certificate

pytestmark = pytest.mark.process

QUARTER_MS = 900_000
START_MS = 1_767_571_200_000  # 2026-01-05
LISTENING = re.compile(r"LISTENING (http://127\.0\.0\.1:\d+)\s+KEY (\S+) SECRET (\S+)\s+")


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    """A market that needs no generating: a hundred quarters of BTC before the start, and a day after it."""
    rows = [f"{START_MS + number * QUARTER_MS},80000,80100,79900,80000,12" for number in range(-100, 96)]
    (tmp_path / "candles").mkdir()
    (tmp_path / "candles" / "BTC-USD_15m.csv").write_text("\n".join(["timestamp,open,high,low,close,volume", *rows]))
    return tmp_path / "candles"


@contextmanager
def running(command: list[str], folder: Path, **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
    with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, **more) as child:
        try:
            yield child
        finally:
            child.kill()


def command(candles: Path, *more: str) -> list[str]:
    return [sys.executable, str(RUN_PY), "exchange", "--candles", str(candles), *more]


def read_until(descriptor: int, pattern: re.Pattern[str]) -> str:
    text = ""
    while not pattern.search(text):
        text += os.read(descriptor, 65_536).decode(errors="replace")
    return text


def a_client(text: str) -> Any:
    """Unmodified ccxt at the address and with the keys of the plain lines."""
    found = LISTENING.search(text)
    assert found is not None
    base, key, secret = found.groups()
    api = {"public": f"{base}/derivatives/api/", "private": f"{base}/derivatives/api/", "charts": f"{base}/api/charts/"}
    return ccxt_async.krakenfutures({"apiKey": key, "secret": secret, "urls": {"api": api}, "rateLimit": 1, "timeout_on_exit": 0})


def test_on_a_terminal_a_small_table_follows_the_plain_lines(candles: Path, tmp_path: Path) -> None:
    terminal, child_end = pty.openpty()
    with running(command(candles, "--speed", "60"), tmp_path, stdout=child_end) as child:
        os.close(child_end)
        text = read_until(terminal, re.compile(r"market time +2026-01-05 00:0\d:\d\d UTC +60 x, 1 markets"))
        text += read_until(terminal, re.compile(r"requests +\d+\.\d/s"))
        child.send_signal(signal.SIGINT)
        code = child.wait(10)
    os.close(terminal)

    assert LISTENING.match(text)
    assert "equity       10,000.00 USD" in text
    assert code == 0


def test_a_program_reads_two_plain_lines_and_nothing_else(candles: Path, tmp_path: Path) -> None:
    with running(command(candles, "--speed", "60"), tmp_path, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        first = child.stdout.readline() + child.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(1.5)  # longer than the table needs to show itself
        child.terminate()
        rest, errors = child.communicate(timeout=10)

    assert LISTENING.fullmatch(first.decode())
    assert (rest, errors, child.returncode) == (b"", b"", 0)


async def test_faults_of_the_file_strike_a_stranger(candles: Path, tmp_path: Path) -> None:
    (tmp_path / "faults.yaml").write_text("faults:\n  - {kind: answer_lost, path: sendorder, skip: 1}\n")
    arguments = command(candles, "--speed", "1", "--faults", "faults.yaml")
    with running(arguments, tmp_path, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        client = a_client((child.stdout.readline() + child.stdout.readline()).decode())
        await client.load_markets()
        await client.create_order("BTC/USD:USD", "limit", "buy", 0.01, 70_000)
        with pytest.raises(ccxt.NetworkError):
            await client.create_order("BTC/USD:USD", "limit", "buy", 0.01, 71_000)
        listed = await client.fetch_open_orders()
        await client.close()

    # both within one millisecond of market time: their order in the list says nothing
    assert {order["info"]["limitPrice"] for order in listed} == {71_000, 70_000}


@pytest.mark.parametrize(
    ("text", "why"),
    [("faults:\n  - {kind: rain}\n", "fault 1: unknown kind 'rain'; known are request_lost"), (None, "No such file")],
)
def test_a_wrong_fault_file_is_one_line_before_anything_is_served(candles: Path, tmp_path: Path, text: str | None, why: str) -> None:
    path = tmp_path / "faults.yaml"
    if text is not None:
        path.write_text(text)
    folder = tmp_path / "cwd"
    folder.mkdir()

    answer = CommandLine(folder)("exchange", "--candles", str(candles), "--faults", str(path))

    assert answer.code == (78 if text else 1)
    assert answer.out == ""
    (line,) = answer.err_lines
    assert str(path) in line
    assert why in line


async def test_https_is_served_with_a_certificate_of_ones_own(candles: Path, tmp_path: Path) -> None:
    certificate, _ = a_loopback_certificate(tmp_path)
    arguments = command(candles, "--tls-cert", str(certificate), "--tls-key", str(certificate.with_suffix(".key")))
    with running(arguments, tmp_path, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        _, base = child.stdout.readline().decode().split()
        trusting = ssl.create_default_context(cafile=certificate)
        async with aiohttp.ClientSession() as http, http.get(f"{base}/derivatives/api/v3/tickers", ssl=trusting) as response:
            answer = await response.json()

    assert base.startswith("https://127.0.0.1:")
    assert answer["result"] == "success"


async def test_a_state_file_that_can_no_longer_be_written_ends_the_exchange_with_1(candles: Path, tmp_path: Path) -> None:
    """A limit on file sizes stands for a full disk: the first order does not fit any more."""
    limited = ["bash", "-c", 'ulimit -f 1; exec "$@"', "bash", *command(candles, "--state", "sim.state")]
    with running(limited, tmp_path, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        client = a_client((child.stdout.readline() + child.stdout.readline()).decode())
        outcomes = []
        for number in range(20):
            try:
                await client.privatePostSendorder(
                    {
                        "orderType": "lmt",
                        "symbol": "PF_XBTUSD",
                        "side": "buy",
                        "size": "0.01",
                        "limitPrice": "70000",
                        "cliOrdId": f"c{number}",
                    }
                )
                outcomes.append("answered")
            except (ccxt.NetworkError, ccxt.ExchangeError, aiohttp.ClientError):
                outcomes.append("failed")
                break
        await client.close()
        code = await asyncio.to_thread(child.wait, 10)
        assert child.stderr is not None
        last = child.stderr.read().decode().splitlines()[-1]

    assert outcomes[-1] == "failed"
    assert code == 1
    assert last.startswith("exchange: the market stopped: ")
    assert "sim.state" in last
