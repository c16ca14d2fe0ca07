"""What the catalog remembers beside the bars: sessions, gaps, what was asked."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq

from catalog.sessions import Sessions
from catalog.store import Catalog
from tests.scenarios.catalog_samples import (
    AAPL,
    MINUTE,
    bars,
    session,
    store,
)


def test_sessions_are_remembered_for_the_spans_that_are_known(aapl: Catalog) -> None:
    first, second = session(AAPL), session(AAPL, day=1)
    dates = np.array([19_723, 19_724])
    both = Sessions(
        dates,
        np.array([first[0], second[0]]),
        np.array([first[1], second[1]]),
        "America/New_York",
        "broker",
    )
    span = (first[0] - MINUTE, second[1] + MINUTE)
    assert aapl.sessions("AAPL.NASDAQ", "regular", span) is None

    aapl.store_sessions("AAPL.NASDAQ", "regular", span, both)

    known = aapl.sessions("AAPL.NASDAQ", "regular", span)
    assert known is not None and known.intervals() == [first, second]
    assert (known.zone, known.source) == ("America/New_York", "broker")
    assert aapl.sessions("AAPL.NASDAQ", "all", span) is None
    assert aapl.sessions("AAPL.NASDAQ", "regular", (span[0], span[1] + 1)) is None
    holiday = aapl.sessions("AAPL.NASDAQ", "regular", (first[1] + 1, second[0] - 1))
    assert holiday is not None and len(holiday) == 0


def test_gaps_are_counted_against_the_known_sessions(aapl: Catalog) -> None:
    days = [session(AAPL, day=day) for day in range(3)]
    for day in (0, 2):
        store(aapl, AAPL, bars(AAPL, 390, first_open=days[day][0]), days[day])
    assert aapl.list_series()[0].gaps is None
    opens, closes = np.array(days).T
    known = Sessions(np.arange(3), opens, closes, "America/New_York", "broker")
    aapl.store_sessions("AAPL.NASDAQ", "regular", (days[0][0], days[2][1]), known)
    assert aapl.list_series()[0].gaps == 1
    assert aapl.missing(AAPL, (days[0][0], days[2][1]), known) == [days[1]]
    store(aapl, AAPL, bars(AAPL, 0), days[1])
    assert aapl.list_series()[0].gaps == 0


def test_the_footer_tells_what_was_asked(aapl: Catalog) -> None:
    store(aapl, AAPL, bars(AAPL, 60), session(AAPL), con_id=265598)
    (path,) = aapl.files(AAPL)
    said = json.loads(pq.read_schema(path).metadata[b"quarterdeck.asked"])
    assert said["intervals"] == [list(session(AAPL))]
    assert (said["hours"], said["con_id"], said["origin"]) == ("regular", 265598, "simulated")
