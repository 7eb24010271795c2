"""Names of log events. People grep them and tests may assert them, so a name is never changed, only added.

One constant per event, value equal to its name unless the phrase itself is what people grep (then the constant says what
it means). Each has a row in docs/runbook.md. Units go into field names (`latency_ms`), never into the event.
"""

from __future__ import annotations

from typing import Final

# the daemon's life
STARTING: Final = "STARTING"
PROTECTING: Final = "PROTECTING"
"""Reconciled with the venue, stops verified; entries are still off."""
STARTED: Final = "STARTED"
STOPPING: Final = "STOPPING"
STOPPED: Final = "STOPPED"
START_PROGRESS: Final = "START_PROGRESS"
ANOTHER_INSTANCE: Final = "ANOTHER INSTANCE IS ALREADY RUNNING"
CONFIG_WARNING: Final = "CONFIG_WARNING"
CONFIG_REFUSED: Final = "CONFIG_REFUSED"
ENTRIES_GATED: Final = "ENTRIES_GATED"
JOURNAL_COMPACTED: Final = "JOURNAL_COMPACTED"
JOURNAL_COMPACTION_FAILED: Final = "JOURNAL_COMPACTION_FAILED"
JOURNAL_MARK_FAILED: Final = "JOURNAL_MARK_FAILED"
TASK_FAILED: Final = "TASK_FAILED"
PHASE_FAILED: Final = "PHASE_FAILED"
UNCAUGHT_EXCEPTION: Final = "UNCAUGHT_EXCEPTION"
LIBRARY: Final = "LIBRARY"
"""A line of a third-party library; its text is in `message`."""
LOG_LINES_DROPPED: Final = "LOG_LINES_DROPPED"

# the tick
CYCLE_SUMMARY: Final = "CYCLE_SUMMARY"
CYCLE_SUMMARY_FAILED: Final = "CYCLE_SUMMARY_FAILED"
ACTIVE_PORTFOLIO: Final = "Active Portfolio"
KILL_SWITCH_STILL_ACTIVE: Final = "Kill switch active"

# markets and candles
UNIVERSE_DISCOVERED: Final = "UNIVERSE_DISCOVERED"
UNIVERSE_SHRINK_REJECTED: Final = "UNIVERSE_SHRINK_REJECTED"
SYMBOL_ADDED: Final = "SYMBOL_ADDED"
SYMBOL_REMOVED: Final = "SYMBOL_REMOVED"
TIER_A_PINNED: Final = "Tier A coin bypassing filters"
DATA_UNAVAILABLE: Final = "DATA_UNAVAILABLE"
CANDLE_CORRECTED: Final = "CANDLE_CORRECTED"
CANDLE_GAP: Final = "CANDLE_GAP"
CANDLE_AUDIT_MISMATCH: Final = "CANDLE_AUDIT_MISMATCH"
INSTRUMENT_CHANGED: Final = "INSTRUMENT_CHANGED"
QUOTE_REFUSED: Final = "QUOTE_REFUSED"

# signals, auction, risk
SIGNAL: Final = "SIGNAL"
NO_SIGNAL: Final = "NO_SIGNAL"
DECISION_TRACE: Final = "DECISION_TRACE"
SIGNAL_REJECTED_SPREAD: Final = "SIGNAL_REJECTED_SPREAD"
SIGNAL_REJECTED: Final = "SIGNAL_REJECTED"
AUCTION_RESULT: Final = "AUCTION_RESULT"
ENTRY_APPROVED: Final = "ENTRY_APPROVED"
ENTRY_REFUSED: Final = "ENTRY_REFUSED"
SIZE_CAPPED_AGGREGATE: Final = "Capping position notional by aggregate exposure limit"
LIVE_EXPOSURE_BLOCKING: Final = "Exchange has live exposure"
DAILY_LOSS_TRACKING: Final = "Daily loss tracking initialized"
DAILY_LOSS_WARNING: Final = "DAILY_LOSS_WARNING"
DAILY_STOP: Final = "Daily stop loss hit"
WEEKLY_STOP: Final = "Weekly stop loss hit"

# orders and positions
ORDER_INTENDED: Final = "ORDER_INTENDED"
ORDER_PLACED: Final = "ORDER_PLACED"
ORDER_REJECTED: Final = "ORDER_REJECTED"
ORDER_UNKNOWN: Final = "ORDER_UNKNOWN"
ORDER_ENDED: Final = "ORDER_ENDED"
ORDER_CANCEL_ASKED: Final = "ORDER_CANCEL_ASKED"
EXECUTION_FAILED: Final = "Execution failed"
FILL: Final = "FILL"
POSITION_OPENED: Final = "POSITION_OPENED"
POSITION_CLOSED: Final = "POSITION_CLOSED"
STOP_PLACED: Final = "STOP_PLACED"
STOP_MOVED: Final = "STOP_MOVED"
STOP_REFUSED: Final = "STOP_REFUSED"
OLD_STOP_CANCEL_FAILED: Final = "Old SL cancel failed (proceeding to place new SL)"
TAKE_PROFIT_PLACED: Final = "TAKE_PROFIT_PLACED"
TAKE_PROFIT_SKIPPED: Final = "TAKE_PROFIT_SKIPPED"
BREAK_EVEN: Final = "BREAK_EVEN"
TRAILING: Final = "TRAILING"

ACTION_NOT_DONE: Final = "ACTION_NOT_DONE"
"""A planned action was refused, is unknown, or did not apply any more; the next plan decides."""
ENTRY_ABANDONED: Final = "ENTRY_ABANDONED"
CLOSE_REQUESTED: Final = "CLOSE_REQUESTED"
QUARANTINED: Final = "QUARANTINED"
POSITION_RELEASED: Final = "POSITION_RELEASED"
FUNDING: Final = "FUNDING"

# reconciliation
PHANTOM: Final = "PHANTOM"
ORPHAN: Final = "ORPHAN"
PENDING_ADOPTED: Final = "PENDING_ADOPTED"
QTY_DIFF: Final = "QTY_DIFF"
RECONCILE_DEFERRED: Final = "RECONCILE_DEFERRED"
RECONCILE_REFUSED: Final = "RECONCILE_REFUSED"
"""The books would not take what was found: a contradiction or a bug of ours."""
TAKEOVER: Final = "TAKEOVER"
FILL_RECONCILIATION: Final = "Fill reconciliation complete"

# safety
MODE_CHANGED: Final = "MODE_CHANGED"
DEGRADED: Final = "DEGRADED"
HALTED: Final = "HALTED"
KILL_SWITCH_ACTIVATED: Final = "KILL SWITCH ACTIVATED"
KILL_SWITCH_PRESERVING: Final = "Kill switch: PRESERVING stop loss order"
KILL_SWITCH_CLEANUP_DONE: Final = "Kill switch: Order cleanup complete"
AUTO_RECOVERY: Final = "AUTO_RECOVERY: Clearing kill switch"
AUTO_RECOVERY_LIMIT: Final = "Auto-recovery: daily limit reached"
NAKED_FIRST: Final = "NAKED_POSITIONS_DETECTED (first occurrence)"
NAKED_PERSISTENT: Final = "NAKED_POSITIONS_DETECTED (persistent)"

# operator commands
CONTROL_SOCKET_READY: Final = "CONTROL_SOCKET_READY"
CONTROL_SOCKET_FAILED: Final = "CONTROL_SOCKET_FAILED"
CONTROL_REFUSED: Final = "CONTROL_REFUSED"
"""Somebody who is not the daemon's own user asked."""
OPERATOR_COMMAND: Final = "OPERATOR_COMMAND"
RESUMED: Final = "RESUMED"

# the venue
VENUE_UNREACHABLE: Final = "VENUE_UNREACHABLE"
VENUE_BACK: Final = "VENUE_BACK"
FEED_RESET: Final = "FEED_RESET"
READ_FAILED: Final = "READ_FAILED"
WIRE_ISSUE: Final = "WIRE_ISSUE"
ENTRY_BREAKER: Final = "ENTRY_BREAKER"

# alerts and monitoring
ALERT: Final = "ALERT"
ALERT_NO_TARGET: Final = "Alert (no webhook configured)"
ALERT_SEND_FAILED: Final = "ALERT_SEND_FAILED"
ALERT_SENT: Final = "ALERT_SENT"
ALERT_DROPPED: Final = "ALERT_DROPPED"
HEALTH_SERVER_STARTED: Final = "HEALTH_SERVER_STARTED"
HEALTH_PORT_TAKEN: Final = "HEALTH_PORT_TAKEN"
HISTORY_DELAYED: Final = "HISTORY_DELAYED"
HISTORY_RECOVERED: Final = "HISTORY_RECOVERED"
HISTORY_LOST: Final = "HISTORY_LOST"
HISTORY_REFUSED: Final = "HISTORY_REFUSED"
HISTORY_PRUNED: Final = "HISTORY_PRUNED"
OUTBOX_BROKEN: Final = "OUTBOX_BROKEN"
OUTBOX_SET_ASIDE: Final = "OUTBOX_SET_ASIDE"
