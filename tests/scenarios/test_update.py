"""Stored series are brought to now, and compared with what the broker says of them today."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from catalog.checks.findings import Finding
from catalog.columns import BarColumns
from catalog.errors import DataUnavailable, WrongInput
from catalog.files import Asked
from catalog.health import check
from catalog.rewriting import Rewrite
from catalog.series import BarSpec, Series
from catalog.store import Catalog
from catalog.trash import undo
from core.fetch import FetchRequest, FetchSummary, fetch_all
from core.fetch_events import BarsRevised, SeriesSkipped, SeriesStale
from core.ibkr.connection import BrokerSession, Endpoint
from core.simulator.server import SimulatedGateway
from core.updating import rebuild, update_all
from tests.scenarios.fetch_desk import NOW, Desk, ns

pytestmark = pytest.mark.asyncio(loop_scope="module")

MINUTES = Series("AAPL.NASDAQ", BarSpec(1, "MINUTE"))
DAYS = Series("AAPL.NASDAQ", BarSpec(1, "DAY"))


class Updates(Desk):
    """A desk at which stored series are brought to now."""

    async def keep(self, series: Series, start: str, end: str) -> None:
        fetched = await self.fetch(series.instrument_id, str(series.spec), start, end)
        assert fetched.error is None

    async def update(self, *ids: str) -> FetchSummary:
        self.events.clear()
        self.gateway.requests.clear()
        return await update_all(
            ids,
            catalog=self.catalog,
            session=self.session,
            clock=lambda: NOW,
            report=self.events.append,
        )

    def answers(self) -> int:
        """How many answers with bars the update took."""
        return self.asked().count("historical_bars")

    def alter(self, series: Series, start: str, end: str, factor: int, volume: int = 0) -> None:
        """Make the stored bars of a span other ones, as an older answer would have been."""
        span = (ns(start), ns(end))
        bars = self.catalog.read_bars(series, *span)
        other = replace(
            bars,
            open=bars.open * factor,
            high=bars.high * factor,
            low=bars.low * factor,
            close=bars.close * factor,
            volume=bars.volume + volume,
        )
        answer = Asked((span,), "regular", 265598, "simulated", NOW.isoformat())
        self.catalog.rewrite_bars(
            Rewrite(series, "older answers", without=[span], bars=other, answer=answer)
        )


@pytest.fixture
def desk(desk: Desk) -> Updates:
    return Updates(desk.gateway, desk.session, desk.catalog)


async def truth(desk: Updates, series: Series, start: str, end: str, folder: Path) -> BarColumns:
    """What a fetch into an empty catalog gives."""
    fresh = Updates(desk.gateway, desk.session, Catalog.open(folder))
    await fresh.keep(series, start, end)
    bars = fresh.catalog.read_bars(series)
    fresh.catalog.close()
    return bars


def revisions(catalog: Catalog) -> list[Finding]:
    """What a check says of histories that changed."""
    found = check(catalog.root, now_ns=ns("2026-11-18T22:30")).findings
    return [finding for finding in found if finding.kind == "revised"]


async def test_every_series_comes_to_now_in_one_request_each(desk: Updates, tmp_path: Path) -> None:
    await desk.keep(MINUTES, "2026-11-12", "2026-11-13")
    await desk.keep(DAYS, "2026-10-01", "2026-11-13")

    summary = await desk.update()

    assert [one.outcome for one in summary.series] == ["stored", "stored"]
    assert desk.answers() == 2  # what is compared again comes with what is new
    assert not desk.told(BarsRevised)
    for series, start in ((MINUTES, "2026-11-12"), (DAYS, "2026-10-01")):
        expected = await truth(desk, series, start, "2026-11-18", tmp_path / series.bar_type)
        assert desk.catalog.read_bars(series) == expected


async def test_what_is_up_to_date_is_only_compared(desk: Updates) -> None:
    await desk.keep(DAYS, "2026-11-02", "2026-11-18")
    (updated,) = (await desk.update()).series
    assert (updated.outcome, updated.bars, updated.error) == ("nothing to do", 0, None)
    assert desk.answers() == 1


async def test_what_the_broker_corrected_in_the_last_session_is_replaced(
    desk: Updates, tmp_path: Path
) -> None:
    await desk.keep(MINUTES, "2026-11-16", "2026-11-17")
    desk.alter(MINUTES, "2026-11-17T20:00", "2026-11-17T20:05", 2)
    desk.alter(MINUTES, "2026-11-16T20:00", "2026-11-16T20:03", 1, volume=7)

    await desk.update("AAPL")

    (told,) = desk.told(BarsRevised)
    assert told.count == 8
    expected = await truth(desk, MINUTES, "2026-11-16", "2026-11-18", tmp_path / "truth")
    assert desk.catalog.read_bars(MINUTES) == expected


async def test_a_split_is_told_nothing_is_added_and_a_rebuild_mends_it(
    desk: Updates, tmp_path: Path
) -> None:
    await desk.keep(DAYS, "2026-10-01", "2026-11-13")
    desk.alter(DAYS, "2026-10-01", "2026-11-14", 4)
    before = desk.catalog.read_bars(DAYS)

    summary = await desk.update()

    (failed,) = summary.failed
    assert isinstance(failed.error, DataUnavailable)
    assert "split 4:1" in failed.error.reason
    assert "--rebuild AAPL.NASDAQ-1-DAY-LAST-EXTERNAL" in failed.error.steps[0]
    assert desk.told(SeriesStale)
    assert desk.catalog.read_bars(DAYS) == before
    again = await fetch_all(
        FetchRequest(("AAPL",), DAYS.spec, "2026-11-16", None),
        catalog=desk.catalog,
        session=desk.session,
        clock=lambda: NOW,
    )
    assert again.failed  # a plain fetch does not mix them either

    assert desk.catalog.list_series()[0].stale == "split 4:1"
    (finding,) = revisions(desk.catalog)
    assert finding.detail == "split 4:1"
    assert finding.mend == f"quarterdeck update --rebuild {DAYS.bar_type}"

    await rebuild(DAYS, catalog=desk.catalog, session=desk.session, clock=lambda: NOW)

    expected = await truth(desk, DAYS, "2026-10-01", "2026-11-13", tmp_path / "truth")
    assert desk.catalog.read_bars(DAYS) == expected
    (summary,) = desk.catalog.list_series()
    assert (summary.stale, summary.flags) == (None, ("split 4:1, rebuilt 2026-11-18",))
    assert not revisions(desk.catalog)
    undo(desk.catalog.root)
    assert desk.catalog.read_bars(DAYS) == before
    (summary,) = desk.catalog.list_series()
    assert (summary.stale, summary.flags) == ("split 4:1", ()), "as the bars that are back"

    await rebuild(DAYS, catalog=desk.catalog, session=desk.session, clock=lambda: NOW)
    assert not (await desk.update()).failed
    assert desk.catalog.read_bars(DAYS).ts[-1] == ns("2026-11-18T23:59:59") + 999_999_999


async def test_a_rebuild_that_fails_leaves_what_is_stored(desk: Updates) -> None:
    await desk.keep(MINUTES, "2026-11-16", "2026-11-17")
    before = desk.catalog.read_bars(MINUTES)
    refused = await rebuild(
        MINUTES,
        catalog=desk.catalog,
        session=BrokerSession(Endpoint("127.0.0.1", 1)),
        clock=lambda: NOW,
    )
    assert refused.error is not None
    assert desk.catalog.read_bars(MINUTES) == before


async def test_a_history_that_was_restated_makes_a_series_stale(desk: Updates) -> None:
    await desk.keep(MINUTES, "2026-11-13", "2026-11-17")
    desk.alter(MINUTES, "2026-11-16T15:00", "2026-11-16T15:01", 3)
    summary = await desk.update()
    assert summary.failed
    assert "1 bars restated" in str(desk.catalog.note(MINUTES, "stale"))


async def test_an_id_that_is_not_stored_is_wrong_input(desk: Updates) -> None:
    with pytest.raises(WrongInput):
        await desk.update("MSFT")


async def test_series_of_no_broker_are_skipped_and_told(desk: Updates) -> None:
    await desk.keep(DAYS, "2026-11-12", "2026-11-13")
    bars = desk.catalog.read_bars(DAYS)
    foreign = Series("FOO.SIM", BarSpec(1, "DAY"))
    nothing = {"id": "FOO.SIM", "info": {"source": "simulated"}}
    definition = {**(desk.catalog.instrument("AAPL.NASDAQ") or {}), **nothing}
    desk.catalog.store_instrument(definition, origin="simulated")
    desk.catalog.store_bars(
        foreign,
        bars,
        asked=(ns("2026-11-12"), ns("2026-11-14")),
        hours="regular",
        con_id=None,
        origin="simulated",
    )
    summary = await desk.update()
    assert [one.series for one in summary.series] == [DAYS]
    assert [skipped.series for skipped in desk.told(SeriesSkipped)] == [foreign]


async def test_a_split_between_two_updates_is_found_out_and_rebuilt(tmp_path: Path) -> None:
    before, after = datetime(2024, 2, 23, 22, tzinfo=UTC), datetime(2024, 3, 1, 22, tzinfo=UTC)
    catalog = Catalog.open(tmp_path)
    series = Series("WMT.NYSE", BarSpec(1, "DAY"))
    request = FetchRequest(("WMT.NYSE",), series.spec, "2024-01-02", "2024-02-23")
    async with SimulatedGateway(now=before) as gateway:
        session = BrokerSession(Endpoint("127.0.0.1", gateway.port))
        await fetch_all(request, catalog=catalog, session=session, clock=lambda: before)
        await session.disconnect()
    last_price = catalog.read_bars(series).close[-1]

    async with SimulatedGateway(now=after) as gateway:
        session = BrokerSession(Endpoint("127.0.0.1", gateway.port))
        summary = await update_all([], catalog=catalog, session=session, clock=lambda: after)
        (failed,) = summary.failed
        assert "split 3:1" in str(failed.error)
        rebuilt = await rebuild(series, catalog=catalog, session=session, clock=lambda: after)
        assert rebuilt.error is None
        assert not (
            await update_all([], catalog=catalog, session=session, clock=lambda: after)
        ).failed
        await session.disconnect()

    bars = catalog.read_bars(series)
    at_split = int(np.searchsorted(bars.ts, ns("2024-02-26")))
    assert abs(bars.close[at_split - 1] - last_price / 3) <= 1
    assert catalog.list_series()[0].flags == ("split 3:1, rebuilt 2024-03-01",)
    assert bars.ts[-1] == ns("2024-03-01T23:59:59") + 999_999_999
    catalog.close()


async def days_then_update(folder: Path, typed: str, start: str, *nows: datetime) -> Catalog:
    """A catalog with the days of a stock up to a first moment, updated at a later one."""
    catalog = Catalog.open(folder)
    for now in nows:
        async with SimulatedGateway(now=now) as gateway:
            session = BrokerSession(Endpoint("127.0.0.1", gateway.port))
            known = {"catalog": catalog, "session": session, "clock": lambda at=now: at}
            if now is nows[0]:
                await fetch_all(FetchRequest((typed,), DAYS.spec, start, None), **known)
            else:
                summary = await update_all([], **known)
                assert not summary.failed, summary.failed
            await session.disconnect()
    return catalog


async def test_a_finer_tick_gives_all_stored_bars_its_decimals(tmp_path: Path) -> None:
    moments = datetime(2026, 10, 30, 22, tzinfo=UTC), datetime(2026, 11, 6, 22, 30, tzinfo=UTC)
    catalog = await days_then_update(tmp_path, "SIRI", "2026-10-01", *moments)
    bars = catalog.read_bars(Series("SIRI.NASDAQ", DAYS.spec))
    assert (bars.price_precision, len(bars)) == (3, 22 + 5)
    before = bars.ts < ns("2026-10-31")
    assert not (bars.close[before] % 10).any()  # cents, with one more decimal
    assert (bars.close[~before] % 10).any()
    catalog.close()


async def test_a_renamed_contract_goes_on_in_its_folder(tmp_path: Path) -> None:
    moments = datetime(2022, 6, 8, 22, tzinfo=UTC), datetime(2022, 6, 15, 22, 30, tzinfo=UTC)
    catalog = await days_then_update(tmp_path, "FB", "2022-05-02", *moments)
    assert catalog.instrument_ids() == ["FB.NASDAQ"]
    assert len(catalog.read_bars(Series("FB.NASDAQ", DAYS.spec))) == 27 + 5
    assert catalog.alias("META.NASDAQ") == "FB.NASDAQ"
    catalog.close()


async def test_a_delisted_contract_is_told_and_what_is_stored_stays(tmp_path: Path) -> None:
    listed, delisted = (
        datetime(2023, 10, 10, 22, tzinfo=UTC),
        datetime(2023, 11, 15, 22, tzinfo=UTC),
    )
    catalog = await days_then_update(tmp_path, "ATVI", "2023-09-01", listed)
    async with SimulatedGateway(now=delisted) as gateway:
        session = BrokerSession(Endpoint("127.0.0.1", gateway.port))
        summary = await update_all([], catalog=catalog, session=session, clock=lambda: delisted)
        await session.disconnect()
    assert "no longer knows ATVI.NASDAQ" in str(summary.failed[0].error)
    assert len(catalog.read_bars(Series("ATVI.NASDAQ", DAYS.spec))) == 27
    catalog.close()
