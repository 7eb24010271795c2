"""SimExchange: one account, many markets. Synchronous and deterministic: market time moves only by `advance_to`.

State is a function of the source, the configuration and the commands with their market times; how often `advance_to` is
called between them changes nothing. That is what makes the command log a complete backup.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from trading_system.sim.agenda import AgendaItem, AgendaKind
from trading_system.sim.bars import HOUR_MS
from trading_system.sim.codec import from_json, to_json
from trading_system.sim.exchange_config import ExchangeConfig as ExchangeConfig
from trading_system.sim.exchange_views import FUNDING_HOURS_KEPT, ExchangeViews
from trading_system.sim.funding import fix_rate
from trading_system.sim.model import (
    CancelAfterResult,
    CancelAllResult,
    CancelRequest,
    CancelResult,
    EditRequest,
    EditResult,
    FundingRow,
    MarketMode,
    Notice,
    OrderRow,
    SelfTrade,
    SendRequest,
    SendResult,
    SimEvent,
)
from trading_system.sim.source import PricePoint, PriceSource

STATE_VERSION: Final = 2
_READABLE: Final = (1, 2)  # version 1 knew no agenda


class SimExchange(ExchangeViews):
    """The venue model. Symbols are venue symbols; an unknown one raises KeyError in queries and is refused in requests."""

    def __init__(
        self, source: PriceSource, config: ExchangeConfig | None = None, *, on_commit: Callable[[Mapping[str, Any]], None] | None = None
    ) -> None:
        """on_commit(record): told every command before its answer is returned, and the time of a fill before it is published.

        Records are JSON-able: {"at_ms", "kind", "args", "accepted"}; see `apply_commit`.
        """
        super().__init__(source, config or ExchangeConfig())
        self._on_commit = on_commit
        self._subscribers: list[Callable[[SimEvent], None]] = []
        self._dead_man_ms: int | None = None
        self._self_trade = SelfTrade.REJECT_TAKER
        self._is_near_ruin = False
        if self._late is not None:
            self._late.watch(self._staked)
        source.bind(lambda number: int(self._states[number].position_f > 0) - int(self._states[number].position_f < 0))
        if self.config.deposit_usd:
            self._ledger.deposit(self.now_ms, self.config.deposit_usd)
        self._tape.outbox.clear()

    # --- time ---

    def advance_to(self, ms: int) -> int:
        """Move market time to `ms`, applying every point up to it; return how many. Going back is ignored."""
        if ms <= self.now_ms:
            return 0
        applied = 0
        ledger = self._ledger
        states, timer_ms = self._states, self._timer_ms
        for point in self._source.points(ms):
            applied += 1
            if point.at_ms >= timer_ms:
                self._run_timers(point.at_ms)
                timer_ms = self._timer_ms
            market = states[point.market]
            before = market.mid
            if market.position_f:
                mark = market.mark
                market.move(point)
                ledger.equity_f += market.cross_f * (market.mark - mark)
                if ledger.equity_f < ledger.alarm_f or not market.ruin_below < market.mark < market.ruin_above:
                    self._touch_account(point, before, check_orders=market.is_tripped())
                    continue
            else:
                market.move(point)
            if market.orders and market.is_tripped():
                self._touch_account(point, before, check_orders=True)
            elif self._is_near_ruin:
                self._touch_account(point, before, check_orders=False)
        if ms >= self._timer_ms:
            self._run_timers(ms)
        self.now_ms = ms
        return applied

    def _staked(self, at_ms: int) -> list[int]:
        """Markets whose point of that moment counts: those with an order or a position of ours; near ruin, all (see `_enforce_margin`)."""
        if self._is_near_ruin:
            self._catch_up(at_ms - 1)
            return [market.number for market in self._states]
        return [market.number for market in self._states if market.orders or market.position_f]

    @property
    def _timer_ms(self) -> int:
        return min(at_ms for at_ms in (self._next_hour, self._dead_man_ms, self._agenda.next_ms) if at_ms is not None)

    def _touch_account(self, point: PricePoint, before: float, *, check_orders: bool) -> None:
        """Orders first (a stop may fire before the margin runs out), then margin."""
        self.now_ms = point.at_ms
        if check_orders:
            self._executor.pass_to(self._states[point.market], point, before)
            self._ledger.refresh_guard()
        self._enforce_margin()
        self._publish_advance()

    def _enforce_margin(self) -> None:
        """After anything that moved money, positions or prices."""
        ledger = self._ledger
        if ledger.equity_f < ledger.alarm_f or ledger.purses:
            self._liquidator.enforce_margin(self.now_ms)
        # funding accrues while a market stands still: near ruin the points of the others are looked at too
        self._is_near_ruin = ledger.is_near_ruin

    def _run_timers(self, until_ms: int) -> None:
        """What is due up to `until_ms`, each at its own time: funding hours, the dead man's switch, the agenda."""
        while (at_ms := self._timer_ms) <= until_ms:
            self._catch_up(at_ms - 1)
            self.now_ms = max(self.now_ms, at_ms)
            if at_ms == self._next_hour:
                self._turn_hour(at_ms)
            elif at_ms == self._dead_man_ms:
                self._dead_man_ms = None
                self._desk.cancel_all(at_ms, None, "dead_man_switch", spares_triggers=self.config.variants.dead_man_spares_triggers)
                self._ledger.refresh_guard()
            else:
                self._perform(self._agenda.pop())
            self._enforce_margin()
            self._publish_advance()

    def _perform(self, item: AgendaItem) -> None:
        match item.kind:
            case AgendaKind.ORDER_RELEASED:
                self._desk.release(self.now_ms, item.subject)
            case AgendaKind.EDIT_RELEASED:
                self._desk.release_edit(self.now_ms, from_json(EditRequest, item.payload))
            case _:
                self._calendar.perform(item)

    def _turn_hour(self, at_ms: int) -> None:
        self._next_hour = at_ms + HOUR_MS
        for market in self._states:
            self._ledger.settle_funding(at_ms, market)
            if market.is_listed:
                rate = fix_rate(market, at_ms)
                rows = self._funding[market.spec.symbol]
                rows.append(rate)
                del rows[:-FUNDING_HOURS_KEPT]
        self._ledger.refresh_guard()

    # --- requests ---

    def send(self, request: SendRequest) -> SendResult:
        """Place an order; a refusal is the answer's `status`."""
        self._present()
        result = self._desk.send(self.now_ms, request)
        self._enforce_margin()
        self._commit("send", to_json(request), accepted=result.status == "placed")
        return result

    def edit(self, request: EditRequest) -> EditResult:
        result = self._desk.edit(self.now_ms, request)
        self._enforce_margin()
        self._commit("edit", to_json(request), accepted=result.status == "edited")
        return result

    def cancel(self, request: CancelRequest) -> CancelResult:
        result = self._desk.cancel(self.now_ms, request)
        self._ledger.refresh_guard()
        self._commit("cancel", to_json(request), accepted=result.status == "cancelled")
        return result

    def vanish(self, order_id: str) -> bool:
        """A fault: an open order is gone without a word. False when there is none of that id."""
        order = self._orders.find(order_id, None)
        if order is not None:
            self._orders.vanish(self.now_ms, order)
            self._ledger.refresh_guard()
            self._commit("vanish", {"order_id": order_id}, accepted=True)
        return order is not None

    def unwind(self, symbol: str, share: Decimal) -> bool:
        """A fault: the venue takes `share` (0 to 1] of a position away at mark, without fee. False when there is none."""
        is_done = self._liquidator.unwind(self.now_ms, self._market(symbol), share)
        self._ledger.refresh_guard()
        self._commit("unwind", {"symbol": symbol, "share": str(share)}, accepted=is_done)
        return is_done

    def charge_funding(self, symbol: str, amount: Decimal) -> bool:
        """A fault: funding of `amount` USD (> 0) is charged on a position out of its turn. False when there is none."""
        is_done = bool(self._ledger.size_of(symbol)) and amount > 0
        if is_done:
            self._ledger.charge_funding(self.now_ms, self._market(symbol), amount)
            self._enforce_margin()
        self._commit("charge_funding", {"symbol": symbol, "amount": str(amount)}, accepted=is_done)
        return is_done

    def cancel_all(self, symbol: str | None = None) -> CancelAllResult:
        """Every open order (of one market), triggers included."""
        result = self._desk.cancel_all(self.now_ms, symbol)
        self._ledger.refresh_guard()
        self._commit("cancel_all", {"symbol": symbol}, accepted=bool(result.cancelled))
        return result

    def cancel_all_after(self, timeout_s: int) -> CancelAfterResult:
        """Arm (or, with 0, disarm) the dead man's switch: all orders are cancelled that many market seconds from now."""
        self._dead_man_ms = self.now_ms + timeout_s * 1000 if timeout_s > 0 else None
        self._commit("cancel_all_after", {"timeout_s": timeout_s}, accepted=True)
        return CancelAfterResult(self.now_ms, self._dead_man_ms)

    def deposit(self, amount: Decimal) -> Decimal:
        """Add cash; negative withdraws, at most what is not tied up. Returns what was moved."""
        moved = max(amount, -max(Decimal(0), self.account().available_margin)) if amount < 0 else amount
        if moved:
            self._ledger.deposit(self.now_ms, moved)
        self._commit("deposit", {"amount": str(amount)}, accepted=bool(moved))
        return moved

    def set_leverage(self, symbol: str, leverage: Decimal | None) -> bool:
        """Isolate a market at a fixed leverage (> 0), or with None return it to cross. False, and nothing changed: margin would break.

        KeyError for an unknown market, ValueError for a leverage that no position there may have.
        """
        terms = self._ledger.terms(self._market(symbol).spec.symbol)
        if leverage is not None and not (leverage.is_finite() and leverage > 0 and terms.allows(leverage, Decimal(0))):
            raise ValueError(f"{symbol} cannot be held at leverage {leverage}")
        is_accepted = self._ledger.set_leverage(self.now_ms, symbol, leverage)
        text = None if leverage is None else str(leverage)
        self._commit("set_leverage", {"symbol": symbol, "leverage": text}, accepted=is_accepted)
        return is_accepted

    def set_self_trade(self, strategy: SelfTrade) -> None:
        """What happens when an order would meet one of our own."""
        self._self_trade = strategy
        self._executor.cancels_makers = strategy is not SelfTrade.REJECT_TAKER
        self._commit("set_self_trade", {"strategy": strategy.value}, accepted=True)

    @property
    def self_trade(self) -> SelfTrade:
        return self._self_trade

    def set_mode(self, symbol: str, mode: MarketMode) -> None:
        """Change what a market accepts. Orders that crossed meanwhile are matched at the next point after it is online again.

        DELISTED settles the market at once.
        """
        if mode is MarketMode.DELISTED:
            self._calendar.delist(self.now_ms, symbol)
        market = self._market(symbol)
        market.mode = mode
        market.version += 1
        self._commit("set_mode", {"symbol": symbol, "mode": mode.value}, accepted=True)

    def set_depth(self, symbol: str, share: Decimal) -> None:
        """Leave `share` (0 to 1, else ValueError) of each level of a market's book, both sides: 0 is an empty one. Prices go on moving."""
        if not (share.is_finite() and 0 <= share <= 1):
            raise ValueError(f"share {share}: from 0 (no book) to 1 (all of it)")
        market = self._market(symbol)
        market.depth_left = share
        market.version += 1
        self._commit("set_depth", {"symbol": symbol, "share": str(share)}, accepted=True)

    def announce_maintenance(self, start_ms: int, downtime_minutes: int, post_only_minutes: int = 5) -> Notice:
        """Announce that from start_ms (market time) the venue is down for a while, then post-only, then as before."""
        notice = self._calendar.announce_maintenance(self.now_ms, start_ms, downtime_minutes, post_only_minutes)
        args = {"start_ms": start_ms, "downtime_minutes": downtime_minutes, "post_only_minutes": post_only_minutes}
        self._commit("announce_maintenance", args, accepted=True)
        return notice

    def announce_delisting(self, symbol: str, at_ms: int) -> Notice:
        """Announce that a market ends at at_ms: orders cancelled, positions settled at the index price."""
        notice = self._calendar.announce_delisting(self.now_ms, symbol, at_ms)
        self._commit("announce_delisting", {"symbol": symbol, "at_ms": at_ms}, accepted=True)
        return notice

    # --- events and durability ---

    def subscribe(self, callback: Callable[[SimEvent], None]) -> Callable[[], None]:
        """Call back every event, in order, after it is committed. The callback must not call requests. Returns the unsubscriber."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    def _commit(self, kind: str, args: Mapping[str, Any], *, accepted: bool) -> None:
        if self._on_commit is not None:
            self._on_commit({"at_ms": self.now_ms, "kind": kind, "args": args, "accepted": accepted})
        self._publish()

    def _publish_advance(self) -> None:
        if self._tape.outbox:
            if self._on_commit is not None:
                self._on_commit({"at_ms": self.now_ms, "kind": "time", "args": {}, "accepted": True})
            self._publish()

    def _publish(self) -> None:
        events = self._tape.outbox[:]
        self._tape.outbox.clear()
        for event in events:
            for subscriber in tuple(self._subscribers):
                subscriber(event)

    def apply_commit(self, record: Mapping[str, Any]) -> None:
        """Replay one record of `on_commit`, in order, on the state it followed: same ids, same fills. Nothing is committed again."""
        hook, self._on_commit = self._on_commit, None
        try:
            self.advance_to(record["at_ms"])
            args = record["args"]
            match record["kind"]:
                case "time":
                    pass
                case "send":
                    self.send(from_json(SendRequest, args))
                case "edit":
                    self.edit(from_json(EditRequest, args))
                case "cancel":
                    self.cancel(from_json(CancelRequest, args))
                case "vanish":
                    self.vanish(args["order_id"])
                case "unwind":
                    self.unwind(args["symbol"], Decimal(args["share"]))
                case "charge_funding":
                    self.charge_funding(args["symbol"], Decimal(args["amount"]))
                case "cancel_all":
                    self.cancel_all(args["symbol"])
                case "cancel_all_after":
                    self.cancel_all_after(args["timeout_s"])
                case "deposit":
                    self.deposit(Decimal(args["amount"]))
                case "set_leverage":
                    self.set_leverage(args["symbol"], None if args["leverage"] is None else Decimal(args["leverage"]))
                case "announce_maintenance":
                    self.announce_maintenance(args["start_ms"], args["downtime_minutes"], args["post_only_minutes"])
                case "announce_delisting":
                    self.announce_delisting(args["symbol"], args["at_ms"])
                case "set_self_trade":
                    self.set_self_trade(SelfTrade(args["strategy"]))
                case "set_mode":
                    self.set_mode(args["symbol"], MarketMode(args["mode"]))
                case "set_depth":
                    self.set_depth(args["symbol"], Decimal(args["share"]))
                case unknown:
                    raise ValueError(f"unknown command record {unknown!r}: written by another version?")
        finally:
            self._on_commit = hook

    def snapshot_state(self, *, is_raw: bool = False) -> dict[str, Any]:
        """Everything that is not a function of the source's parameters, as JSON-able data.

        is_raw: leave the frozen rows of the histories and the packed bars as they are, for a writer that encodes them elsewhere.
        """
        self._present()
        return {
            "version": STATE_VERSION,
            "config": to_json(self.config),
            "now_ms": self.now_ms,
            "dead_man_ms": self._dead_man_ms,
            "self_trade": self._self_trade.value,
            "source": self._source.snapshot_state(),
            "tape": self._tape.snapshot((lambda row: row) if is_raw else to_json),
            "ledger": self._ledger.snapshot(),
            "orders": [to_json(order) for order in self._orders.rows()],
            "agenda": self._agenda.snapshot(),
            "calendar": self._calendar.snapshot(),
            "markets": {symbol: market.snapshot(is_raw=is_raw) for symbol, market in self._markets.items()},
            "funding": {symbol: [to_json(row) for row in rows] for symbol, rows in self._funding.items() if rows},
        }

    def restore_state(self, state: Mapping[str, Any]) -> None:
        """Take over a snapshot, into an exchange fresh from the constructor (same source parameters); ValueError when it does not fit."""
        if state["version"] not in _READABLE:
            raise ValueError(f"exchange state has version {state['version']}, this program reads {_READABLE}")
        if state["markets"].keys() != self._markets.keys():
            raise ValueError("exchange state lists other markets than the price source")
        self._source.restore_state(state["source"])
        self.now_ms = self._seen_ms = state["now_ms"]
        self._next_hour = self.now_ms - self.now_ms % HOUR_MS + HOUR_MS
        self._dead_man_ms = state["dead_man_ms"]
        self._self_trade = SelfTrade(state.get("self_trade", SelfTrade.REJECT_TAKER.value))
        self._executor.cancels_makers = self._self_trade is not SelfTrade.REJECT_TAKER
        self._tape.restore(state["tape"])
        for symbol, data in state["markets"].items():
            self._markets[symbol].restore(data)
        if state["version"] > 1:
            self._agenda.restore(state["agenda"])
            self._calendar.restore(state["calendar"])
        held = self._agenda.subjects(AgendaKind.ORDER_RELEASED)
        self._orders.restore([from_json(OrderRow, row) for row in state["orders"]], held)
        self._ledger.restore(state["ledger"])
        self._is_near_ruin = self._ledger.is_near_ruin
        for symbol, rows in state["funding"].items():
            self._funding[symbol] = [from_json(FundingRow, row) for row in rows]
