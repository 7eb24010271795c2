"""The whole chain: from a call in any room or library to the lines of three sinks."""

from __future__ import annotations

import gc
import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import structlog

from trading_system.monitoring.log_render import EventMessage
from trading_system.monitoring.log_writer import FileWriter, LogWriter
from trading_system.monitoring.logging_setup import (
    Logging,
    LogSettings,
    get_logger,
    is_journal_stream,
    loop_exception_handler,
    setup_logging,
)

log = get_logger("trading_system.live.tick")


class Chain:
    """A running chain over a folder; reading it stops it first."""

    def __init__(self, directory: Path, secrets: tuple[str, ...], level: str) -> None:
        self.console = io.StringIO()
        self.directory = directory
        self.running: Logging | None = setup_logging(LogSettings(directory, level=level), secrets, console=self.console)

    def stop(self) -> None:
        if self.running is not None:
            self.running.stop()
            self.running = None

    def text(self) -> str:
        self.stop()
        return (self.directory / "run.log").read_text()

    def lines(self) -> list[str]:
        return self.text().splitlines()

    def objects(self) -> list[dict[str, Any]]:
        self.stop()
        return [json.loads(line) for line in (self.directory / "run.jsonl").read_text().splitlines()]


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    running = Chain(tmp_path / "logs", ("canary-value",), "INFO")
    yield running
    running.stop()


def test_an_event_reaches_console_line_file_and_json_file(chain: Chain) -> None:
    log.info("CYCLE_SUMMARY", cycle=5, equity=Decimal("345.750"))

    line = chain.lines()[0]
    assert line.startswith("CYCLE_SUMMARY cycle=5 equity=345.75 at=")
    assert line.endswith("Z level=info logger=live.tick")
    assert chain.console.getvalue().splitlines() == [line]
    found = chain.objects()[0]
    assert (found["event"], found["cycle"], found["equity"], found["logger"]) == ("CYCLE_SUMMARY", 5, "345.75", "live.tick")


def test_lines_below_the_level_are_not_written(chain: Chain) -> None:
    log.debug("NO_SIGNAL", symbol="BTC/USD")
    log.info("SIGNAL", symbol="BTC/USD")

    assert [line.split()[0] for line in chain.lines()] == ["SIGNAL"]


def test_the_traceback_of_the_caller_is_in_all_sinks(chain: Chain) -> None:
    try:
        raise ValueError("no such gate")
    except ValueError:
        log.exception("PHASE_FAILED", phase="scan")

    text = chain.text()
    assert "PHASE_FAILED phase=scan" in text
    assert "  | ValueError: no such gate" in text
    assert "test_the_traceback_of_the_caller" in text
    assert chain.objects()[0]["traceback"][-1] == "ValueError: no such gate"
    assert "ValueError: no such gate" in chain.console.getvalue()


def test_library_records_go_through_the_same_chain(chain: Chain) -> None:
    try:
        raise OSError("connection reset, key canary-value")
    except OSError:
        logging.getLogger("ccxt.base").warning("retry %s of %d", "GET", 3, exc_info=True)

    text = chain.text()
    assert 'LIBRARY message="retry GET of 3"' in text
    assert "OSError: connection reset, key ***" in text
    assert chain.objects()[0]["message"] == "retry GET of 3"


def test_secret_values_appear_in_no_sink(chain: Chain) -> None:
    log.info("E", url="https://host/?key=canary-value", nested={"deep": ["canary-value"]}, note=ValueError("canary-value"))
    log.info("canary-value")
    try:
        raise RuntimeError("canary-value")
    except RuntimeError as error:
        log.error("E", exc_info=error)
    logging.getLogger("aiohttp.client").error("%s", {"Authorization": "canary-value"})

    assert "canary" not in chain.text()
    assert "canary" not in chain.console.getvalue()
    assert "canary" not in str(chain.objects())


def test_a_value_that_changes_later_is_logged_as_it_was(chain: Chain) -> None:
    growing = {"list": [1]}
    log.info("E", growing=growing)
    growing["list"].append(2)

    assert chain.objects()[0]["growing"] == {"list": [1]}


def test_bound_fields_and_context_are_added(chain: Chain) -> None:
    with structlog.contextvars.bound_contextvars(cycle=9):
        log.bind(position="BTC-1").info("FILL", qty=1)

    assert chain.lines()[0].startswith("FILL position=BTC-1 qty=1 cycle=9 ")


def test_rooms_below_reach_the_chain_through_structlog(chain: Chain) -> None:
    structlog.get_logger("trading_system.storage").warning("HISTORY_DELAYED", rows=3, note="canary-value")

    assert chain.lines()[0].startswith("HISTORY_DELAYED rows=3 note=*** at=")
    assert chain.lines()[0].endswith("level=warning logger=storage")


def test_uncaught_exceptions_of_process_thread_and_loop_become_lines(chain: Chain) -> None:
    def fail() -> None:
        raise LookupError("in a thread")

    thread = threading.Thread(target=fail, name="worker")
    thread.start()
    thread.join()
    sys.excepthook(KeyError, KeyError("in the process"), None)
    loop_exception_handler(None, {"message": "never awaited", "exception": TypeError("in the loop"), "future": object()})

    text = chain.text()
    assert text.count("UNCAUGHT_EXCEPTION") == 3
    for part in ("LookupError: in a thread", "KeyError: 'in the process'", "TypeError: in the loop"):
        assert part in text


def test_an_exception_in_a_destructor_becomes_a_line(chain: Chain) -> None:
    class Odd:
        def __del__(self) -> None:
            raise ValueError("in a destructor")

    odd = Odd()
    del odd
    gc.collect()

    assert "ValueError: in a destructor" in chain.text()


def test_stopping_puts_back_what_was_there_before(tmp_path: Path) -> None:
    root = logging.getLogger()
    before = (root.handlers[:], root.level, sys.excepthook, threading.excepthook)
    running = Chain(tmp_path, (), "DEBUG")
    running.stop()

    assert (root.handlers[:], root.level, sys.excepthook, threading.excepthook) == before


def test_log_files_are_private_and_rotated(tmp_path: Path) -> None:
    console = io.StringIO()
    running = setup_logging(LogSettings(tmp_path, file_mb=1, files_kept=2), console=console)
    for number in range(1_200):
        log.info("E", number=number, text="x" * 1_000)
    running.stop()

    assert {path.name for path in tmp_path.iterdir()} == {"run.log", "run.log.1", "run.jsonl", "run.jsonl.1"}
    assert all(path.stat().st_mode & 0o037 == 0 for path in tmp_path.iterdir())


class BlockedHandler(logging.Handler):
    """Holds the writer thread until it is let go; remembers what it wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.events: list[str] = []

    def handle(self, record: logging.LogRecord) -> bool:
        if threading.current_thread().name == "log-writer":
            self.entered.set()
            self.gate.wait(10)
        self.events.append(record.msg.event if isinstance(record.msg, EventMessage) else record.msg)
        return True


def a_record(event: str, level: int = logging.INFO) -> logging.LogRecord:
    message: Any = EventMessage(event)
    return logging.LogRecord("x", level, "", 0, message, (), None)


def test_a_full_queue_drops_information_counts_it_and_keeps_warnings() -> None:
    handler = BlockedHandler()
    writer = LogWriter([handler], length=2)
    writer.start()
    writer.take(a_record("FIRST"))
    assert handler.entered.wait(10)
    for event in ("QUEUED_1", "QUEUED_2", "LOST_1", "LOST_2"):
        writer.take(a_record(event))
    writer.take(a_record("WARNED", logging.WARNING))
    assert writer.dropped == 2
    assert handler.events == ["WARNED"]

    handler.gate.set()
    writer.stop()

    assert handler.events == ["WARNED", "FIRST", "QUEUED_1", "QUEUED_2", "LOG_LINES_DROPPED"]


def test_a_file_that_cannot_be_written_is_counted_and_its_record_not_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handler = FileWriter(tmp_path / "run.log", bytes_max=0, kept=0)
    handler.stream.close()
    handler.stream = open("/dev/full", "w")  # noqa: SIM115
    writer = LogWriter([handler])
    writer.start()
    writer.take(a_record("canary-value"))
    writer.take(a_record("canary-value"))
    writer.stop()

    assert writer.write_errors == 2
    assert "canary" not in capsys.readouterr().err


def test_the_journal_is_recognised_by_device_and_inode(tmp_path: Path) -> None:
    with (tmp_path / "stream").open("w") as stream:
        facts = (tmp_path / "stream").stat()
        assert is_journal_stream(stream, {"JOURNAL_STREAM": f"{facts.st_dev}:{facts.st_ino}"})
        assert not is_journal_stream(stream, {"JOURNAL_STREAM": "1:1"})
        assert not is_journal_stream(io.StringIO(), {"JOURNAL_STREAM": "1:1"})


def test_under_the_journal_every_physical_line_carries_its_priority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "journal").open("w+") as stream:
        facts = (tmp_path / "journal").stat()
        monkeypatch.setenv("JOURNAL_STREAM", f"{facts.st_dev}:{facts.st_ino}")
        running = setup_logging(LogSettings(), console=stream)
        log.warning("WARNED")
        try:
            raise ValueError("x")
        except ValueError:
            log.exception("FAILED")
        running.stop()
        lines = (tmp_path / "journal").read_text().splitlines()

    assert lines[0] == "<4>WARNED logger=live.tick"
    assert len(lines) > 2
    assert all(line.startswith("<3>") for line in lines[1:])


def test_before_setup_a_logger_reaches_the_standard_handlers(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        log.info("STARTING", version="1")

    assert "STARTING version=1" in caplog.text
