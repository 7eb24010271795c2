"""Fields of the venue's payloads, written by hand from its public pages; see `payload_fields` for how to read a list."""

from __future__ import annotations

INSTRUMENT = """symbol str, type flexible_futures, tickSize num, contractSize num, tradeable bool, impactMidSize num,
maxPositionSize num, openingDate isos, marginLevels list, retailMarginLevels list, fundingRateCoefficient num,
maxRelativeFundingRate num, contractValueTradePrecision int, minimumTradeSize num, postOnly bool, feeScheduleUid
uuid, mtf bool, base str, quote str, pair str, category str, tags list, tradfi bool, isExpired bool,
?makerProtectionMillis int"""
MARGIN_LEVEL = "numNonContractUnits num, initialMargin num, maintenanceMargin num"
INSTRUMENT_STATUS = """tradeable bool, experiencingDislocation bool, priceDislocationDirection str?, experiencingExtremeVolatility
bool, extremeVolatilityInitialMarginMultiplier num"""
TICKER = """symbol str, last num, lastTime iso, lastSize num, tag perpetual, pair str, markPrice num, indexPrice num, ?bid
num, ?bidSize num, ?ask num, ?askSize num, vol24h num, volumeQuote num, openInterest num, open24h num, high24h
num, low24h num, vwap24h num, change24h num, fundingRate num, fundingRatePrediction num, relativeFundingRate
num, relativeFundingRatePrediction num, suspended bool, postOnly bool, isUnderlyingMarketClosed bool"""
TRADE = "time iso, trade_id int, price num, size num, side buy|sell, type fill, uid uuid"
CANDLE = "time ms, open numstr, high numstr, low numstr, close numstr, volume numstr"
PUBLIC_ORDER = """uid uuid, tradeable str, direction Buy|Sell, quantity numstr, timestamp ms, limitPrice numstr, orderType str,
reduceOnly bool, lastUpdateTimestamp ms"""
PUBLIC_EXECUTION = """uid uuid, makerOrder obj, takerOrder obj, timestamp ms, quantity numstr, price numstr, markPrice numstr,
limitFilled bool, usdValue numstr"""
PAGE = "elements list, len int, ?accountUid uuid, ?continuationToken str, serverTime iso"
FLEX = """type multiCollateralMarginAccount, currencies obj, initialMargin num, initialMarginWithOrders num,
maintenanceMargin num, balanceValue num, portfolioValue num, collateralValue num, pnl num, unrealizedFunding
num, totalUnrealized num, totalUnrealizedAsMargin num, availableMargin num, marginEquity num"""
FILL = """fill_id uuid, symbol str, side buy|sell, order_id uuid, ?cliOrdId str, size num, price num, fillTime iso,
fillType maker|taker|takerAfterEdit|liquidation"""
SEND_STATUS = "order_id uuid, status placed, receivedTime iso, ?cliOrdId str, orderEvents list"
EVENT_ORDER = """orderId uuid, cliOrdId str?, type lmt|post|ioc|fok, symbol str, side buy|sell, quantity num, filled num,
limitPrice num, reduceOnly bool, timestamp iso, lastUpdateTimestamp iso"""
EVENT_TRIGGER = """uid uuid, clientId str?, type lmt|ioc, symbol str, side buy|sell, quantity num, limitPrice num?, triggerPrice
num, triggerSide trigger_below|trigger_above, triggerSignal mark_price|last_price|spot_price, reduceOnly bool,
timestamp iso, lastUpdateTimestamp iso, startTime null"""
EXECUTION = """type EXECUTION, executionId uuid, price num, amount num, orderPriorEdit obj?, orderPriorExecution obj,
takerReducedQuantity num?"""
OPEN_ORDER = """order_id uuid, ?cliOrdId str, symbol str, side buy|sell, orderType lmt|stp|take_profit|trailing_stop, status
untouched|partiallyFilled, ?limitPrice num, ?stopPrice num, ?triggerSignal mark|index|last, ?filledSize num,
unfilledSize num, reduceOnly bool, receivedTime iso, lastUpdateTime iso, ?trailingStopMaxDeviation num,
?trailingStopDeviationUnit PERCENT|QUOTE_CURRENCY, ?limitPriceOffsetValue num, ?limitPriceOffsetUnit
PERCENT|QUOTE_CURRENCY"""
STATUS_ROW = """order obj, status ENTERED_BOOK|FULLY_EXECUTED|REJECTED|CANCELLED|TRIGGER_PLACED|TRIGGER_ACTIVATION_FAILURE,
updateReason str?, error str?"""
STATUS_ORDER = """type ORDER|TRIGGER_ORDER, orderId uuid, cliOrdId str?, symbol str, side buy|sell, quantity num, filled num?,
limitPrice num?, reduceOnly bool, timestamp iso, lastUpdateTimestamp iso, ?priceTriggerOptions obj, ?triggerTime
iso?"""
LOG = """id int, date iso, asset str, contract str?, info str, booking_uid uuid, margin_account str, old_balance num,
new_balance num, old_average_entry_price num?, new_average_entry_price num?, trade_price num?, mark_price num?,
realized_pnl num?, fee num?, execution uuid?, collateral str, funding_rate num?, realized_funding num?,
conversion_spread_percentage num?, liquidation_fee num?, position_uid uuid?"""
HISTORY_ORDER = """uid uuid, accountUid uuid, tradeable str, direction Buy|Sell, quantity numstr, filled numstr, timestamp ms,
limitPrice str, orderType Limit|IoC|Post|Market, clientId str, reduceOnly bool, lastUpdateTimestamp ms,
?triggerOptions obj"""
BATCH_ROW = "status str, ?order_tag str, ?order_id uuid, ?cliOrdId str, dateTimeReceived iso, orderEvents list"
WS_TICKER = """feed ticker, time ms, product_id str, ?bid num, ?ask num, ?bid_size num, ?ask_size num, volume num, volumeQuote
num, dtm int, leverage str, index num, premium num, last num, change num, suspended bool, post_only bool, tag
perpetual, pair str, openInterest num, markPrice num, maturityTime int, open num, high num, low num,
funding_rate num, funding_rate_prediction num, relative_funding_rate num, relative_funding_rate_prediction num,
next_funding_rate_time ms"""
WS_LITE = """feed ticker_lite, product_id str, ?bid num, ?ask num, change num, premium num, volume num, volumeQuote num, tag
perpetual, pair str, dtm int, maturityTime int"""
WS_TRADE = "feed trade, product_id str, uid uuid, side buy|sell, type fill, seq int, time ms, qty num, price num"
WS_BOOK = "feed book_snapshot, product_id str, timestamp ms, seq int, tickSize null, bids list, asks list"
WS_DELTA = "feed book, product_id str, side buy|sell, seq int, price num, qty num, timestamp ms"
WS_FILL = """instrument str, time ms, price num, seq int, buy bool, qty num, remaining_order_qty num, order_id uuid,
?cli_ord_id str, fill_id uuid, fill_type maker|taker, fee_paid num, fee_currency USD, taker_order_type str,
order_type limit|stop|take_profit"""
WS_ORDER = """instrument str, time ms, last_update_time ms, qty num, filled num, limit_price num, stop_price num, type
limit|stop|take_profit, order_id uuid, ?cli_ord_id str, direction int, reduce_only bool, ?triggerSignal
mark|index|last, ?trailing_stop_options obj"""
WS_POSITION = """instrument str, balance num, pnl num, entry_price num, mark_price num, index_price num, liquidation_threshold
num, effective_leverage num, return_on_equity num, unrealized_funding num, initial_margin num,
initial_margin_with_orders num, maintenance_margin num, pnl_currency USD"""
WS_FLEX = """currencies obj, balance_value num, portfolio_value num, collateral_value num, initial_margin num,
initial_margin_without_orders num, maintenance_margin num, pnl num, unrealized_funding num, total_unrealized
num, total_unrealized_as_margin num, margin_equity num, available_margin num, isolated obj, cross obj"""
WS_NOTE = """id int, type maintenance|settlement|market|general, priority low|medium|high, note str, effective_time ms,
expected_downtime_minutes int"""
POSITION = """side long|short, symbol str, price num, fillTime iso, size num, unrealizedFunding num?, pnlCurrency USD,
?maxFixedLeverage num"""
