"""Tells people what became of the market data: universe, candles, feeds, quotes. Reads reports; decides nothing.

What is normal (a gap, a pinned coin) is debug; what a person should know of is a warning with its numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from trading_system.data.candle_updates import AuditReport, BarFault, CandleReport, Correction
from trading_system.data.data_health import Coverage, HealthState
from trading_system.data.market_discovery import DiscoveryReport, FactsReread
from trading_system.data.market_registry import InstrumentChange, MarketRegistry, ShrinkRejected, UniverseAccepted
from trading_system.domain import log_events as ev
from trading_system.domain.protocols import Alerter, EventRecorder
from trading_system.live.engine_feed import EngineStory
from trading_system.live.log_port import Log

_NAMED_MAX: Final = 5
"""Symbols named in a line that may concern all of them."""
_SPEC_FACTS: Final = ("tick", "size_step", "size_min", "position_size_max", "margin_levels", "status")


class DataStory:
    """One per LiveTrading."""

    def __init__(self, log: Log, recorder: EventRecorder, alerts: Alerter) -> None:
        self._log = log
        self._recorder = recorder
        self._alerts = alerts

    def discovered(self, report: DiscoveryReport, markets: MarketRegistry) -> None:
        """One discovery: who came, who went and why, whose specs changed while held."""
        match report.decision:
            case UniverseAccepted() as accepted:
                self._universe(report, accepted, markets)
            case ShrinkRejected() as refused:
                self._log.warning(ev.UNIVERSE_SHRINK_REJECTED, last=refused.last_good_count, found=refused.found_count)
                self._alerts.alert(
                    "UNIVERSE_SHRINK", f"Discovery found {refused.found_count} markets, last time {refused.last_good_count}; old one kept"
                )
            case None:
                self._log.warning(ev.DATA_UNAVAILABLE, what="discovery", why=report.failure)
        for change in report.instrument_changes:
            self._instrument(change)
        if report.cache_failure is not None:
            self._log.warning(ev.DATA_UNAVAILABLE, what="instrument cache", why=report.cache_failure)

    def reread(self, reread: FactsReread) -> None:
        """Facts read again because an order was refused for its size or price."""
        if reread.failure is not None:
            self._log.warning(ev.DATA_UNAVAILABLE, what="contract facts", why=reread.failure)
        for change in reread.changes:
            self._instrument(change)

    def _universe(self, report: DiscoveryReport, accepted: UniverseAccepted, markets: MarketRegistry) -> None:
        counts = {f"tier_{tier.value.lower()}": n for tier, n in sorted(report.tier_counts.items(), key=lambda kv: kv[0].value)}
        self._log.info(ev.UNIVERSE_DISCOVERED, universe=len(markets.eligible()), specs=report.spec_source.value, **counts)
        for symbol in accepted.added:
            tier = markets.tier(symbol)
            self._log.debug(ev.SYMBOL_ADDED, symbol=symbol, tier=None if tier is None else tier.value)
            self._changed(report.at, symbol, "added", None if tier is None else tier.value)
        for gone in accepted.removed:
            self._log.info(ev.SYMBOL_REMOVED, symbol=gone.symbol, reason=gone.reason.value, limit=gone.limit, actual=gone.actual)
            self._changed(report.at, gone.symbol, f"removed: {gone.reason.value}", None)
        for symbol, _before, now in accepted.tier_changed:
            self._changed(report.at, symbol, "tier", now.value)
        for pinned in report.pinned:
            self._log.debug(ev.TIER_A_PINNED, symbol=pinned.symbol)

    def _changed(self, at: datetime, symbol: str, change: str, tier: str | None) -> None:
        self._recorder.record("universe", at, {"symbol": symbol, "change": change, "tier": tier})

    def _instrument(self, change: InstrumentChange) -> None:
        before, now = change.before, change.now
        facts = {
            name: f"{getattr(before, name, None)} -> {value}"
            for name in _SPEC_FACTS
            if (value := getattr(now, name, None)) != getattr(before, name, None)
        }
        self._log.warning(ev.INSTRUMENT_CHANGED, symbol=now.symbol, **facts)

    def candles(self, report: CandleReport) -> None:
        """One refresh: what failed, what was nonsense, what was corrected, what is missing, whose feed changed."""
        if report.store_failure is not None:
            self._log.warning(ev.DATA_UNAVAILABLE, what="stored candles", why=report.store_failure)
        for failure in report.failures:
            self._log.warning(
                ev.DATA_UNAVAILABLE, what="candles", symbol=failure.symbol, timeframe=failure.timeframe.value, why=failure.why
            )
        for row in report.rejected:
            level = self._log.debug if row.fault is BarFault.UNASKED else self._log.warning
            level(
                ev.CANDLE_REJECTED,
                symbol=row.symbol,
                timeframe=row.timeframe.value,
                fault=row.fault.value,
                bars=row.bars,
                first_open_ms=row.first_open_ms,
            )
        self._corrections(report.corrections)
        for gap in report.gaps:
            missing = (gap.gap.last_open_ms - gap.gap.first_open_ms) // gap.timeframe.ms + 1
            self._log.debug(
                ev.CANDLE_GAP, symbol=gap.symbol, timeframe=gap.timeframe.value, first_open_ms=gap.gap.first_open_ms, bars=missing
            )
        for change in report.health:
            level = self._log.info if change.now is HealthState.HEALTHY else self._log.warning
            level(ev.DATA_HEALTH, symbol=change.symbol, before=change.before.value, after=change.now.value)

    def _corrections(self, corrections: Iterable[Correction]) -> None:
        for correction in corrections:
            self._log.warning(
                ev.CANDLE_CORRECTED,
                symbol=correction.symbol,
                timeframe=correction.timeframe.value,
                open_ms=correction.now.open_ms,
                close_before=correction.before.close,
                close_now=correction.now.close,
            )

    def audited(self, report: AuditReport) -> None:
        """Our longer bars beside the venue's own; the venue's were taken over."""
        for found in report.mismatches:
            self._log.warning(
                ev.CANDLE_AUDIT_MISMATCH,
                symbol=found.symbol,
                timeframe=found.timeframe.value,
                open_ms=found.ours.open_ms,
                ours=list(found.ours[1:5]),
                venues=list(found.venues[1:5]),
            )
        self.candles(report.candles)

    def engines(self, story: EngineStory | None, keeping_failure: str | None) -> None:
        """What engines were continued, which were warmed up from stored bars and why, and what could not be kept."""
        if story is not None:
            cold = sum(len(symbols) for symbols in story.cold.values())
            self._log.info(ev.ENGINES_WARM, restored=story.restored, cold=cold, bars_fed=story.bars_fed)
            for why, symbols in sorted(story.cold.items()):
                self._log.info(ev.ENGINE_COLD, why=why, engines=len(symbols), symbols=list(symbols[:_NAMED_MAX]))
        if keeping_failure is not None:
            self._log.warning(ev.ENGINES_NOT_KEPT, why=keeping_failure)

    def histogram_not_kept(self, why: str) -> None:
        """The daily count of blocking gates is in memory only until the disk takes it."""
        self._log.warning(ev.DATA_UNAVAILABLE, what="gate histogram", why=why)

    def thin(self, found: Coverage) -> None:
        """Too few markets have their bars: no entries this cycle."""
        self._log.warning(ev.DATA_UNAVAILABLE, what="coverage", ready=found.ready, needed=found.ready_min, universe=found.universe)
        self._alerts.alert(
            "DATA_UNAVAILABLE", f"Only {found.ready} of {found.universe} markets have bars, {found.ready_min} needed: no entries"
        )
