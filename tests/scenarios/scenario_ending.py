"""What is left to look at when a scenario is over, in words that a specification can be written with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from raw_venue import Asked
from scenario_parts import BTC, START_MS, Line, Told

from trading_system.domain.events import JournalEvent
from trading_system.domain.modes import Mode
from trading_system.domain.positions import Position
from trading_system.domain.symbols import Symbol, to_venue
from trading_system.domain.units import ZERO
from trading_system.execution.journal import Journal
from trading_system.execution.journal_memory import DiskModel
from trading_system.execution.order_ids import parse_client_order_id
from trading_system.torture.venue_log import Cancelled, Edited, Executed, Sent, VenueRecord, WatchedExchange, is_stop

E = TypeVar("E", bound=JournalEvent)


@dataclass(frozen=True)
class Ending:
    """The exchange's own log, the durable journal, what was logged and told."""

    exchange: WatchedExchange
    records: tuple[VenueRecord, ...]
    journal: Journal
    events: tuple[JournalEvent, ...]
    log: tuple[Line, ...]
    alarms: tuple[Told, ...]
    mode_changes: tuple[tuple[float, Mode], ...]
    """(second, mode), the first mode included."""
    naked: Mapping[str, float]
    """By venue symbol: the longest time without full cover, in whole seconds."""
    lives: int
    """How often the daemon was started."""
    answers: tuple[str, ...]
    """What the operator's orders were answered; "" = done."""
    content: DiskModel
    """The journal as it lies on the disk."""
    asked: tuple[Asked, ...]
    """Every request of a scenario with raw answers."""

    # --- the venue ---

    def words(self, symbol: Symbol | None = None) -> list[str]:
        """The exchange's log in short words, in order: `entry placed`, `entry filled`, `stop moved`, `tp1 cancelled` …"""
        return [word for record in self._in_order() if (word := _word(record, symbol)) is not None]

    def _in_order(self) -> list[VenueRecord]:
        """The exchange notes a request once it is done with it; here it stands before the executions that it brought."""
        ordered: list[VenueRecord] = []
        for record in self.records:
            at = len(ordered)
            if isinstance(record, Sent) and record.order_id is not None:
                while at > 0 and _order_of(ordered[at - 1]) == record.order_id:
                    at -= 1
            ordered.insert(at, record)
        return ordered

    def sent(self, what: str, symbol: Symbol | None = None) -> tuple[Sent, ...]:
        """What reached the exchange of that kind (entry, stop, tp1, tp2, close, reduce), refused ones included."""
        found = [r for r in self.records if isinstance(r, Sent) and _name(r.request.cli_ord_id) == what]
        return tuple(r for r in found if symbol is None or r.request.symbol == to_venue(symbol))

    def position(self, symbol: Symbol = BTC) -> Decimal:
        """Signed, as the exchange has it."""
        return self.exchange.watch.positions.get(to_venue(symbol), ZERO)

    def stops(self, symbol: Symbol = BTC) -> list[tuple[Decimal, Decimal | None]]:
        """(size, trigger) of the stops that rest."""
        return [(o.unfilled, o.stop_price) for o in self.exchange.open_orders() if o.symbol == to_venue(symbol) and is_stop(o)]

    def limits(self, symbol: Symbol = BTC) -> list[tuple[str, Decimal, Decimal | None]]:
        """(kind, size, price) of the other orders that rest."""
        rows = [o for o in self.exchange.open_orders() if o.symbol == to_venue(symbol) and not is_stop(o)]
        return sorted((_name(o.cli_ord_id), o.unfilled, o.limit_price) for o in rows)

    def naked_s(self, symbol: Symbol = BTC) -> float:
        """The longest the exchange saw the position without full cover, to the second."""
        return self.naked.get(to_venue(symbol), 0.0)

    # --- the daemon ---

    def of(self, kind: type[E]) -> tuple[E, ...]:
        """Journal events of that type, in order."""
        return tuple(event for event in self.events if isinstance(event, kind))

    @property
    def positions(self) -> tuple[Position, ...]:
        """Every position of the journal, oldest first."""
        return tuple(self.journal.state.positions.values())

    def logged(self, event: str) -> tuple[Line, ...]:
        return tuple(line for line in self.log if line.event == event)

    def told(self, kind: str) -> tuple[Told, ...]:
        return tuple(alarm for alarm in self.alarms if alarm.kind == kind)

    @property
    def modes(self) -> list[Mode]:
        """The modes it went through, one after the other."""
        return [mode for _, mode in self.mode_changes]

    @property
    def unexpected(self) -> list[str]:
        """Exceptions that reached a phase or task boundary."""
        return [f"{line.event}: {line.fields['exc_info']!r}" for line in self.log if isinstance(line.fields.get("exc_info"), Exception)]

    def tale(self) -> list[str]:
        """Everything, for a failure message."""
        out = [f"{(r.at_ms - START_MS) / 1000:8.1f}  {_word(r, None)}  {_detail(r)}" for r in self._in_order() if _word(r, None)]
        out += [
            f"{line.at_s:8.1f}  {line.level:7} {line.event} {dict(line.fields)}" for line in self.log if line.level in ("warning", "error")
        ]
        return out


def _order_of(record: VenueRecord) -> str | None:
    return record.fill.order_id if isinstance(record, Executed) else None


def _name(client_id: str | None) -> str:
    parsed = None if client_id is None else parse_client_order_id(client_id)
    if parsed is None:
        return "foreign"
    return {"en": "entry", "sl": "stop", "cl": "close", "rd": "reduce"}.get(parsed.purpose.value, parsed.purpose.value)


def _word(record: VenueRecord, symbol: Symbol | None) -> str | None:
    wanted = None if symbol is None else to_venue(symbol)
    match record:
        case Sent() if wanted in (None, record.request.symbol):
            return f"{_name(record.request.cli_ord_id)} {record.status}"
        case Edited() if record.order is not None and wanted in (None, record.order.symbol):
            return f"{_name(record.order.cli_ord_id)} {'moved' if record.status == 'edited' else record.status}"
        case Cancelled() if record.order is not None and wanted in (None, record.order.symbol):
            return f"{_name(record.order.cli_ord_id)} {record.status}"
        case Executed() if wanted in (None, record.fill.symbol):
            kind = "liquidation" if record.fill.fill_type == "liquidation" else _name(record.fill.cli_ord_id)
            return f"{kind} filled"
        case _:
            return None


def _detail(record: VenueRecord) -> str:
    match record:
        case Sent():
            r = record.request
            return f"{r.symbol} {r.side} {r.size} limit {r.limit_price} stop {r.stop_price} [{record.actor.value}]"
        case Edited():
            return f"size {record.request.size} stop {record.request.stop_price} [{record.actor.value}]"
        case Executed():
            return (
                f"{record.fill.symbol} {record.fill.side.value} {record.fill.size} @ {record.fill.price}: {record.before} -> {record.after}"
            )
        case _:
            return f"[{getattr(record, 'actor', None)}]"
