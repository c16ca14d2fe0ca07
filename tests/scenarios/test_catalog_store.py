"""The catalog as its users see it: what is stored comes back, from us and from Nautilus."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from catalog.columns import BarColumns
from catalog.events import Event
from catalog.series import Series
from catalog.store import BarsPersisted, Catalog, InstrumentStored, InstrumentUnchanged

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND
START = 1_704_119_400 * SECOND  # 2024-01-01 14:30 UTC

AAPL = Series.from_bar_type("AAPL.NASDAQ-1-MINUTE-LAST-EXTERNAL")
ES = Series.from_bar_type("ESH4.CME-1-HOUR-LAST-EXTERNAL")
EURUSD = Series.from_bar_type("EUR/USD.IDEALPRO-1-MINUTE-MID-EXTERNAL")
SPX = Series.from_bar_type("^SPX.CBOE-1-DAY-LAST-EXTERNAL")


def definition(series: Series, **changes: object) -> dict[str, object]:
    """A definition as the broker floor makes them, of the class the id suggests."""
    common = {
        "id": series.instrument_id,
        "raw_symbol": series.symbol,
        "ts_event": 1_000,
        "ts_init": 1_000,
        "margin_init": "0",
        "margin_maint": "0",
    }
    by_id: dict[str, dict[str, object]] = {
        "AAPL.NASDAQ": {
            "type": "Equity",
            "currency": "USD",
            "price_precision": 2,
            "price_increment": "0.01",
            "isin": "US0378331005",
            "info": {"con_id": 265598, "source": "simulated", "trading_hours": "today"},
        },
        "ESH4.CME": {
            "type": "FuturesContract",
            "asset_class": "INDEX",
            "underlying": "ES",
            "activation_ns": 0,
            "expiration_ns": 1_710_511_200 * SECOND,
            "currency": "USD",
            "price_precision": 2,
            "price_increment": "0.25",
            "size_precision": 0,
            "size_increment": "1",
            "multiplier": "50",
            "lot_size": "1",
            "exchange": "XCME",
            "info": {"con_id": 495512563, "source": "simulated"},
        },
        "EUR/USD.IDEALPRO": {
            "type": "CurrencyPair",
            "base_currency": "EUR",
            "quote_currency": "USD",
            "price_precision": 5,
            "size_precision": 0,
            "price_increment": "0.00005",
            "size_increment": "1",
            "multiplier": "1",
            "info": {"con_id": 12087792, "source": "simulated"},
        },
        "^SPX.CBOE": {
            "type": "IndexInstrument",
            "currency": "USD",
            "price_precision": 2,
            "size_precision": 0,
            "price_increment": "0.01",
            "size_increment": "1",
            "info": {"con_id": 416904, "source": "simulated"},
        },
    }
    return {**common, **by_id[series.instrument_id], **changes}


def bars(series: Series, count: int, *, first_open: int = START, low: int = 10_000) -> BarColumns:
    """Bars of plausible shape, one span after the other."""
    span = series.spec.nanos
    ts = first_open + span * np.arange(1, count + 1)
    if not series.spec.intraday:
        ts = ts - 1
    close = low + np.arange(count) % 97
    precision = 5 if series is EURUSD else 2
    return BarColumns(ts, close - 1, close + 3, close - 4, close, 100 + close % 7, precision, 0)


def store(catalog: Catalog, series: Series, columns: BarColumns, asked: tuple[int, int]) -> int:
    """Store simulated regular bars of the contract of the series."""
    return catalog.store_bars(
        series, columns, asked=asked, hours="regular", con_id=None, origin="simulated"
    )


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog.open(tmp_path / "catalog")


def test_an_hour_of_bars_is_sixty_and_comes_back_as_stored(catalog: Catalog) -> None:
    events: list[Event] = []
    assert catalog.store_instrument(definition(AAPL), origin="simulated", report=events.append)
    hour = (START, START + 60 * MINUTE)
    given = bars(AAPL, 90)

    new = catalog.store_bars(
        AAPL,
        given,
        asked=hour,
        hours="regular",
        con_id=265598,
        origin="simulated",
        report=events.append,
    )

    assert new == 60
    assert catalog.read_bars(AAPL) == given.take(slice(0, 60))
    assert catalog.covered(AAPL) == [hour]
    assert [type(event) for event in events] == [InstrumentStored, BarsPersisted]
    assert events[1] == BarsPersisted(AAPL, *hour, 60, catalog.files(AAPL)[0])
    assert catalog.checked_files(AAPL) == catalog.files(AAPL)


def test_an_unchanged_instrument_is_not_written_again(catalog: Catalog) -> None:
    events: list[Event] = []
    catalog.store_instrument(definition(AAPL), origin="simulated")
    tomorrow = definition(AAPL, ts_init=2_000, ts_event=2_000)
    tomorrow["info"] = {**tomorrow["info"], "trading_hours": "tomorrow"}  # type: ignore[dict-item]

    assert not catalog.store_instrument(tomorrow, origin="simulated", report=events.append)

    assert events == [InstrumentUnchanged("AAPL.NASDAQ")]
    assert catalog.instrument("AAPL.NASDAQ")["ts_init"] == 1_000
