"""What was asked and what was answered, for checkers: the truth about requests as the exchange saw them."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from trading_system.sim.kraken_server.encoding import iso
from trading_system.sim.kraken_server.envelope import Answer
from trading_system.sim.kraken_server.routes import ApiRequest

_KEEP: Final = 20_000
_STATUS_KEYS: Final = ("sendStatus", "editStatus", "cancelStatus", "batchStatus", "status")


class RequestLog:
    """The newest 20,000 private and state-changing requests; market data reads are only counted."""

    def __init__(self) -> None:
        self._rows: deque[dict[str, Any]] = deque(maxlen=_KEEP)
        self._seq = 0
        self.public_count = 0

    def note(self, request: ApiRequest, answer: Answer, now_ms: int, now_s: float) -> None:
        """Add one request. Signatures and keys are not kept."""
        if not request.key and request.method == "GET":
            self.public_count += 1
            return
        self._seq += 1
        payload = answer.payload if isinstance(answer.payload, dict) else {}
        row: dict[str, Any] = {
            "seq": self._seq,
            "time": iso(now_ms),
            "market_ms": now_ms,
            "process_s": now_s,
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "body": request.body,
            "http": answer.status,
            "result": payload.get("result"),
            "error": payload.get("error"),
        }
        if request.method != "GET":
            row |= {key: payload[key] for key in _STATUS_KEYS if key in payload}
        self._rows.append(row)

    @property
    def count(self) -> int:
        """All requests so far, market data included."""
        return self._seq + self.public_count

    def rows(self, after_seq: int = 0, limit: int = _KEEP) -> list[dict[str, Any]]:
        """Rows with a higher seq, oldest first, at most `limit`."""
        return [row for row in self._rows if row["seq"] > after_seq][:limit]
