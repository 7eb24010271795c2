"""The page about the embedded exchange, run as it is printed: programs, commands, files and options against a running exchange."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from fakes.kraken_server_rig import a_server
from fakes.scripted_market import START_MS, a_market
from trading_system.app import verb_exchange
from trading_system.sim.kraken_server.server import KrakenServer
from trading_system.sim.model import SendRequest
from trading_system.wiring.fault_file import read_faults

PAGE = (Path(__file__).parents[2] / "docs" / "embedded-exchange.md").read_text(encoding="utf-8")
PORT = ":18999"


def blocks(language: str) -> list[str]:
    """Fenced blocks of that language ("" = none named), in order."""
    return [text for name, text in re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.M | re.S) if name == language]


CURLS = [line.partition("  #")[0].strip() for block in blocks("") for line in block.splitlines() if line.startswith("curl ")]


@pytest.fixture
async def server() -> AsyncIterator[KrakenServer]:
    server = await a_server({"PF_XBTUSD": {0: 83_880.0}}, specs=[a_market()])
    yield server
    await server.close()


async def run(server: KrakenServer, *command: str) -> str:
    environment = os.environ | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=60, env=environment, check=False
    )  # in a thread: the server answers on this loop
    assert done.returncode == 0, done.stderr
    return done.stdout


def keys_of(server: KrakenServer) -> tuple[str, str, str]:
    return server.address.base_url, server.credentials.key, server.credentials.secret


async def test_the_ccxt_program_prints_what_the_page_says(server: KrakenServer) -> None:
    program = next(block for block in blocks("python") if "import ccxt" in block)
    printed = next(block for block in blocks("") if block.startswith("83"))
    out = await run(server, sys.executable, "-c", program, *keys_of(server))

    price, position, stop = out.splitlines()
    assert re.fullmatch(r"\d+\.\d USD", price)
    assert re.fullmatch(r"long 0\.01 at \d+\.\d", position)
    assert [stop, len(out.splitlines())] == [printed.splitlines()[-1], len(printed.splitlines())]


async def test_the_python_kraken_sdk_program_opens_its_position(server: KrakenServer) -> None:
    pytest.importorskip("kraken.futures", reason="python-kraken-sdk is not installed: make venv")
    program = next(block for block in blocks("python") if "kraken.futures" in block)
    out = await run(server, sys.executable, "-c", "import sys\nbase, key, secret = sys.argv[1:4]\n" + program, *keys_of(server))

    assert "'symbol': 'PF_XBTUSD'" in out
    assert "'size': 0.01" in out


async def test_the_program_that_serves_it_in_process_runs(server: KrakenServer) -> None:
    program = next(block for block in blocks("python") if "serve(" in block)

    assert re.fullmatch(r"http://127\.0\.0\.1:\d+ \d+\n", await run(server, sys.executable, "-c", program))


def test_the_page_has_commands_to_run() -> None:
    assert len(CURLS) >= 12
    assert all(PORT in line for line in CURLS)


@pytest.mark.parametrize("line", CURLS)
async def test_every_curl_line_does_what_it_says(server: KrakenServer, line: str) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    server.advance_to(START_MS + 60_000)
    order = server.exchange.send(a_limit())
    command = line.replace(PORT, f":{server.address.port}").replace("…", str(order.order_id))
    answer = json.loads(await run(server, "bash", "-c", command))

    if "-X POST" in line:
        assert answer == {"result": "success"}
    else:
        assert answer.keys() & {"tickers", "candles", "account", "requests", "events"}


def a_limit() -> SendRequest:
    return SendRequest("PF_XBTUSD", "lmt", "buy", Decimal("0.01"), Decimal(70_000))


@pytest.mark.parametrize("text", blocks("yaml"))
def test_every_file_on_the_page_is_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text(text, encoding="utf-8")

    assert read_faults(path) != read_faults_of_nothing(tmp_path)


def read_faults_of_nothing(folder: Path) -> object:
    path = folder / "nothing.yaml"
    path.write_text("faults: []\n", encoding="utf-8")
    return read_faults(path)


def test_the_options_on_the_page_are_the_options_there_are() -> None:
    parser = argparse.ArgumentParser()
    verb_exchange.configure(parser)
    there = {option for action in parser._actions for option in action.option_strings if option.startswith("--")} - {"--help"}
    there -= {option for action in parser._actions for option in action.option_strings if action.help == argparse.SUPPRESS}
    table = PAGE[PAGE.index("| option | meaning |") :].split("\n\n")[0]

    assert set(re.findall(r"--[a-z][a-z-]*", "".join(row.split("|")[1] for row in table.splitlines()))) == there
    start = next(block for block in blocks("") if "run.py exchange" in block)
    assert parser.parse_args(start.split()[3:]).port == int(PORT[1:])
