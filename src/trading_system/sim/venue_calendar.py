"""Announced events: maintenance (everything down, then post-only, then open again) and the end of a contract."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from trading_system.sim.agenda import Agenda, AgendaItem, AgendaKind
from trading_system.sim.codec import from_json, to_json
from trading_system.sim.liquidation import Liquidator
from trading_system.sim.market_state import MarketState
from trading_system.sim.model import MarketMode, Notice, NoticeFeed
from trading_system.sim.tape import Tape

_MINUTE_MS: Final = 60_000
_KEEP: Final = 100


class VenueCalendar:
    """Tells events in advance and performs them when their time has come."""

    def __init__(self, markets: Mapping[str, MarketState], agenda: Agenda, tape: Tape, liquidator: Liquidator) -> None:
        self._markets = markets
        self._agenda = agenda
        self._tape = tape
        self._liquidator = liquidator
        self._notice_ids = 0
        self._modes_before: dict[str, MarketMode] = {}
        self.notices: deque[Notice] = deque(maxlen=_KEEP)
        self.is_down = False

    def announce_maintenance(self, now_ms: int, start_ms: int, downtime_minutes: int, post_only_minutes: int) -> Notice:
        """From start_ms (not before now) the venue is down, then post-only, then as before. ValueError for a time that cannot be."""
        if downtime_minutes < 1 or post_only_minutes < 0:
            raise ValueError("maintenance lasts at least a minute, and the post-only time after it is not negative")
        start_ms = max(start_ms, now_ms)
        back_ms = start_ms + downtime_minutes * _MINUTE_MS
        self._agenda.add(start_ms, AgendaKind.MAINTENANCE_BEGINS)
        self._agenda.add(back_ms, AgendaKind.MAINTENANCE_ENDS)
        self._agenda.add(back_ms + post_only_minutes * _MINUTE_MS, AgendaKind.TRADING_RESUMES)
        note = f"Scheduled maintenance, about {downtime_minutes} minutes. Markets reopen post-only."
        return self._tell("maintenance", "high", note, start_ms, downtime_minutes)

    def announce_delisting(self, now_ms: int, symbol: str, at_ms: int) -> Notice:
        """At at_ms (not before now) the market ends: orders are cancelled, positions settled at the index. KeyError: no such market."""
        market = self._markets[symbol]
        at_ms = max(at_ms, now_ms)
        self._agenda.add(at_ms, AgendaKind.DELISTING, symbol)
        return self._tell("settlement", "high", f"{market.spec.symbol} will be settled and delisted.", at_ms, 0)

    def _tell(self, kind: str, priority: str, note: str, effective_ms: int, downtime_minutes: int) -> Notice:
        self._notice_ids += 1
        notice = Notice(self._notice_ids, kind, priority, note, effective_ms, downtime_minutes)
        self.notices.append(notice)
        self._tape.outbox.append(NoticeFeed(notice))
        return notice

    def perform(self, item: AgendaItem) -> None:
        """Do what is due; items of other kinds are not for the calendar."""
        match item.kind:
            case AgendaKind.MAINTENANCE_BEGINS:
                self.is_down = True
                self._modes_before |= {symbol: market.mode for symbol, market in self._markets.items() if symbol not in self._modes_before}
                self._set_all(MarketMode.MAINTENANCE)
            case AgendaKind.MAINTENANCE_ENDS:
                self.is_down = False
                self._set_all(MarketMode.POST_ONLY)
            case AgendaKind.TRADING_RESUMES:
                for symbol, mode in self._modes_before.items():
                    if self._markets[symbol].mode is MarketMode.POST_ONLY:  # anything else was set by somebody meanwhile
                        self._markets[symbol].mode = mode
                self._modes_before.clear()
            case AgendaKind.DELISTING:
                self.delist(item.at_ms, item.subject)
            case AgendaKind.ORDER_RELEASED | AgendaKind.EDIT_RELEASED:
                pass

    def delist(self, at_ms: int, symbol: str) -> None:
        """End a market now."""
        market = self._markets[symbol]
        self._liquidator.settle(at_ms, market)
        market.mode = MarketMode.DELISTED
        market.version += 1

    def _set_all(self, mode: MarketMode) -> None:
        for market in self._markets.values():
            if market.mode is not MarketMode.DELISTED:
                market.mode = mode
                market.version += 1

    def snapshot(self) -> dict[str, Any]:
        return {
            "notice_ids": self._notice_ids,
            "notices": [to_json(notice) for notice in self.notices],
            "modes_before": {symbol: mode.value for symbol, mode in self._modes_before.items()},
            "is_down": self.is_down,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Replace everything by a snapshot."""
        self._notice_ids = state["notice_ids"]
        self.notices.clear()
        self.notices.extend(from_json(Notice, row) for row in state["notices"])
        self._modes_before = {symbol: MarketMode(word) for symbol, word in state["modes_before"].items()}
        self.is_down = state["is_down"]
