"""A catalog as Nautilus 2 and the adapters of other data vendors leave it, made in a worker."""

from __future__ import annotations

from itertools import starmap

MINUTE = 60 * 1_000_000_000
START = 1_704_205_800 * 1_000_000_000
"""2024-01-02 14:30 UTC, when New York opens."""

PERPETUAL, METAL, STOCK, FUTURE, UNKNOWN = (
    "BTCUSDT-PERP.BINANCE",
    "XAUUSD.OANDA",
    "AAPL.XNAS",
    "ESH4.GLBX",
    "NONE.XNAS",
)
USABLE = {
    f"{PERPETUAL}-1-MINUTE-LAST-EXTERNAL": (1, 3),
    f"{METAL}-1-HOUR-MID-EXTERNAL": (3, 1),
    f"{STOCK}-1-MINUTE-LAST-EXTERNAL": (2, 0),
    f"{STOCK}-1-SECOND-LAST-EXTERNAL": (9, 0),
    f"{FUTURE}-1-MINUTE-LAST-EXTERNAL": (2, 0),
    f"{UNKNOWN}-1-DAY-LAST-EXTERNAL": (2, 0),
}
"""The series that are ours too, with their decimals of prices and sizes."""

OTHER = {
    f"{PERPETUAL}-1-MINUTE-LAST-INTERNAL": (1, 3),
    f"{PERPETUAL}-5-MINUTE-LAST-INTERNAL@1-MINUTE-EXTERNAL": (1, 3),
    f"{PERPETUAL}-1-MINUTE-MARK-EXTERNAL": (1, 3),
    f"{PERPETUAL}-100-MILLISECOND-LAST-EXTERNAL": (1, 3),
    f"{PERPETUAL}-100-TICK-LAST-EXTERNAL": (1, 3),
    f"{PERPETUAL}-1000-VOLUME_RUNS-LAST-EXTERNAL": (1, 3),
}
"""Bars that only Nautilus knows."""

TICKS = ("quotes", "trades", "order_book_deltas", "mark_prices")
"""The folders beside the bars."""


def write_catalog_of_others(root: str) -> None:
    """Instruments that IBKR does not have, bars of many kinds, and ticks beside them."""
    from nautilus_trader.model import (
        AggressorSide,
        AssetClass,
        Bar,
        BarType,
        BookAction,
        BookOrder,
        Cfd,
        CryptoFuturesSpread,
        CryptoPerpetual,
        Currency,
        Equity,
        FuturesContract,
        InstrumentId,
        MarkPriceUpdate,
        OrderBookDelta,
        OrderSide,
        Price,
        Quantity,
        QuoteTick,
        Symbol,
        TradeId,
        TradeTick,
    )
    from nautilus_trader.persistence import ParquetDataCatalog

    catalog = ParquetDataCatalog(root)
    price, size = Price.from_str, Quantity.from_str
    dollar, tether, bitcoin = map(Currency.from_str, ("USD", "USDT", "BTC"))

    def names(instrument_id: str) -> tuple[InstrumentId, Symbol]:
        return InstrumentId.from_str(instrument_id), Symbol(instrument_id.partition(".")[0])

    catalog.write_instruments(
        [
            CryptoPerpetual(
                *names(PERPETUAL), bitcoin, tether, tether, False,
                1, 3, price("0.1"), size("0.001"), 0, 1,
            ),
            Cfd(
                *names(METAL), AssetClass.COMMODITY, dollar,
                3, 1, price("0.001"), size("0.1"), 0, 1,
            ),
            Equity(*names(STOCK), dollar, 2, price("0.01"), 0, 1),
            FuturesContract(
                *names(FUTURE), AssetClass.INDEX, "ES", 0, 2_000_000_000 * 10**9, dollar,
                2, price("0.25"), size("50"), size("1"), 0, 1,
            ),
            CryptoFuturesSpread(
                *names("BTC-CAL.DERIBIT"), bitcoin, dollar, bitcoin, False, "CALENDAR",
                0, 2_000_000_000 * 10**9, 1, 0, price("0.1"), size("1"), 0, 1,
            ),
        ]
    )  # fmt: skip
    for bar_type, decimals in (USABLE | OTHER).items():
        parsed = BarType.from_str(bar_type)
        step = {"SECOND": MINUTE // 60, "HOUR": 60 * MINUTE, "DAY": 1440 * MINUTE}
        span = step.get(bar_type.removeprefix(parsed.instrument_id.value).split("-")[2], MINUTE)

        def bar(
            close: float, at: int, parsed: BarType = parsed, decimals: tuple[int, int] = decimals
        ) -> Bar:
            prices = (close - 0.1, close + 0.2, close - 0.3, close)
            amount = Quantity(1234.0, decimals[1])
            return Bar(parsed, *(Price(one, decimals[0]) for one in prices), amount, at, at)

        rows = [(100 + number % 7, START + (number + 1) * span) for number in range(60)]
        catalog.write_bars(list(starmap(bar, rows)))
    stock = InstrumentId.from_str(STOCK)
    low, high, one = price("100.01"), price("100.02"), size("1")
    catalog.write_quote_ticks([QuoteTick(stock, low, high, one, one, START, START)])
    catalog.write_trade_ticks(
        [TradeTick(stock, low, one, AggressorSide.BUY, TradeId("1"), START, START)]
    )
    order = BookOrder(OrderSide.BUY, low, one, 1)
    catalog.write_order_book_deltas(
        [OrderBookDelta(stock, BookAction.ADD, order, 0, 1, START, START)]
    )
    catalog.write_mark_price_updates([MarkPriceUpdate(stock, low, START, START)])
