"""Typed ranges of held bars: dates are trading dates, times are moments."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from catalog.errors import WrongInput
from catalog.layout import NANOS_PER_DAY
from catalog.series import Series
from catalog.sessions import Sessions
from catalog.store import Catalog
from core.held_range import held_range
from tests.scenarios.catalog_samples import bars, definition, store

ES = Series.from_bar_type("ESH4.CME-1-HOUR-LAST-EXTERNAL")
DAYS = Series.from_bar_type("ESH4.CME-1-DAY-LAST-EXTERNAL")
HOUR = 3_600 * 10**9


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Hours of a future whose session of a date begins the evening before, in Chicago."""
    catalog = Catalog.open(tmp_path_factory.mktemp("ranges") / "catalog")
    chicago = {"con_id": 495512563, "source": "simulated", "time_zone": "America/Chicago"}
    catalog.store_instrument(definition(ES, info=chicago), origin="simulated")
    first = ns("2024-01-01T23:00")
    store(catalog, ES, bars(ES, 46, first_open=first), (first, first + 48 * HOUR), hours="all")
    opens = first + 24 * HOUR * np.arange(2)
    sessions = Sessions(
        np.array([19724, 19725]), opens, opens + 23 * HOUR, "America/Chicago", "broker"
    )
    span = (ns("2024-01-01T12:00"), ns("2024-01-04T12:00"))
    catalog.store_sessions(ES.instrument_id, "all", span, sessions)
    return catalog


def test_a_date_is_its_whole_session(catalog: Catalog) -> None:
    assert held_range(catalog, ES, "2024-01-02", "2024-01-02") == (
        ns("2024-01-01T23:00"),
        ns("2024-01-02T22:00"),
    )


def test_where_no_sessions_are_known_a_date_is_its_day_on_the_exchange(catalog: Catalog) -> None:
    assert held_range(catalog, ES, "2024-03-04", "2024-03-05") == (
        ns("2024-03-04T06:00"),
        ns("2024-03-06T06:00"),
    )
    unknown = Series("NEW.SIM", ES.spec)
    assert held_range(catalog, unknown, "2024-03-04", "2024-03-04") == (
        ns("2024-03-04T00:00"),
        ns("2024-03-05T00:00"),
    )


def test_times_are_moments_and_ends_may_be_left_open(catalog: Catalog) -> None:
    assert held_range(catalog, ES, None, None) is None
    start, end = held_range(catalog, ES, "2024-01-02T10:00", None) or (0, 0)
    assert start == ns("2024-01-02T10:00")
    assert end > ns("2199-01-01T00:00")
    assert held_range(catalog, ES, "2024-01-02T10:00+01:00", "2024-01-02T12:00") == (
        ns("2024-01-02T09:00"),
        ns("2024-01-02T12:00"),
    )


def test_days_are_whole_dates_whatever_time_is_typed(catalog: Catalog) -> None:
    midnight = ns("2024-01-02T00:00")
    for typed in ("2024-01-02", "2024-01-02T15:00"):
        assert held_range(catalog, DAYS, typed, typed) == (midnight, midnight + NANOS_PER_DAY)


@pytest.mark.parametrize(
    ("start", "end"),
    [("2024-01-03", "2024-01-02"), ("2024-01-02T10:00", "2024-01-02T10:00"), ("tomorrow", None)],
)
def test_what_is_no_range_is_refused(catalog: Catalog, start: str, end: str | None) -> None:
    with pytest.raises(WrongInput):
        held_range(catalog, ES, start, end)
