"""A catalog beside other programs that write into it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from catalog import workers
from catalog.coverage import union
from catalog.errors import DataUnavailable
from catalog.store import Catalog
from tests.scenarios.catalog_samples import (
    AAPL,
    DAY,
    MINUTE,
    START,
    bars,
    chunk,
    session,
    store,
    write_with_nautilus,
)


def test_bars_another_program_wrote_cover_themselves_and_nothing_between(aapl: Catalog) -> None:
    held = bars(AAPL, 390).take(np.r_[0:60, 100:390])
    workers.run_blocking(write_with_nautilus, str(aapl.root), AAPL.bar_type, held)

    assert aapl.read_bars(AAPL) == held
    start = session(AAPL)[0]
    assert aapl.covered(AAPL) == [
        (start, start + 60 * MINUTE),
        (start + 100 * MINUTE, start + 390 * MINUTE),
    ]
    summary = aapl.list_series()[0]
    assert (summary.rows, summary.hours, summary.gaps) == (350, None, None)

    assert store(aapl, AAPL, bars(AAPL, 390), session(AAPL)) == 40
    assert aapl.read_bars(AAPL) == bars(AAPL, 390)
    assert len(aapl.files(AAPL)) == 1


def test_a_foreign_file_over_several_months_is_taken_in_whole(aapl: Catalog) -> None:
    spread = bars(AAPL, 3).take(slice(0, 3))
    spread.ts[:] = [START, START + 40 * DAY, START + 80 * DAY]
    workers.run_blocking(write_with_nautilus, str(aapl.root), AAPL.bar_type, spread)
    asked = (START - MINUTE, START + 79 * DAY)
    new = bars(AAPL, 30, first_open=START + 10 * MINUTE)
    assert store(aapl, AAPL, new, asked) == 30
    assert len(aapl.read_bars(AAPL)) == 33
    assert union([*aapl.covered(AAPL), asked]) == aapl.covered(AAPL)


def test_files_of_two_precisions_are_told_before_anyone_reads_them_as_one(aapl: Catalog) -> None:
    store(aapl, AAPL, bars(AAPL, 30), chunk(0))
    finer = replace(bars(AAPL, 30, first_open=chunk(5)[0]), price_precision=4)
    workers.run_blocking(write_with_nautilus, str(aapl.root), AAPL.bar_type, finer)
    for use in (aapl.read_bars, aapl.checked_files):
        with pytest.raises(DataUnavailable, match="mix precisions"):
            use(AAPL)
