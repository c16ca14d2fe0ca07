"""Checking, mending and looking closer from the catalog screen."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from catalog.series import BarSpec, Series
from core.fetch import FetchRequest
from core.fetch_events import ChunkRequested
from tests.tui.deck import Deck, deck
from tests.tui.fields import field
from tests.tui.test_catalog_screen import store_hour
from tui.widgets.coverage import CoverageStrip

GDX = Series("GDX.ARCA", BarSpec(1, "MINUTE"))


async def test_a_sound_catalog_has_nothing_wrong(tmp_path: Path, gateway_port: int) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await store_hour(shown, "GDX.ARCA")
        await shown.press("2")
        await shown.shows("GDX.ARCA", "┤")
        await shown.press("c")
        await shown.shows("─ Findings ", "nothing is wrong in 2 files")
        await shown.press("escape")
        await shown.until(lambda: "─ Findings " not in shown.text)


async def test_a_damaged_file_is_found_and_repaired_after_a_yes(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await store_hour(shown, "GDX.ARCA", "IBM.NYSE")
        (file,) = shown.workspace.catalog.files(GDX)
        file.write_bytes(b"PAR1 no more")
        await shown.press("2")
        await shown.shows("DAMAGED")
        await shown.press("r")
        await shown.shows("─ Do 1 step? ", "move to quarantine")
        await shown.press("n")
        assert file.exists()
        await shown.shows("error", "unreadable", "-> r repairs it")
        await shown.press("r")
        await shown.shows("─ Do 1 step? ")
        await shown.press("y")
        await shown.until(lambda: not file.exists(), "the file in quarantine")
        await shown.shows("quarantined")
        await shown.press("escape")
        await shown.until(lambda: "DAMAGED" not in shown.text)


async def test_an_orphan_gets_its_instrument_from_the_broker(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await store_hour(shown, "GDX.ARCA")
        for stored in shown.workspace.catalog.root.glob("data/equit*/**/*.parquet"):
            stored.unlink()
        await shown.press("2")
        await shown.shows("ORPHAN", "B asks for it")
        await shown.press("B")
        await shown.until(lambda: "ORPHAN" not in shown.text, "the instrument")
        assert shown.workspace.catalog.instrument("GDX.ARCA") is not None


async def test_what_is_missing_is_listed_and_taken_over_to_fetch(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await store_hour(shown, "GDX.ARCA")
        later = FetchRequest(
            ("GDX.ARCA",), GDX.spec, "2026-03-03T14:30", "2026-03-03T15:30", "regular"
        )
        await shown.workspace.fetch(later).wait()
        await shown.press("2")
        await shown.shows("1 missing: d lists, f fetches")
        await shown.press("d")
        await shown.shows("never asked", "2026-03-03T15:30 to 2026-03-03T21:00")
        await shown.press("escape")
        strip = shown.app.screen.query_one(CoverageStrip)
        await shown.until(lambda: bool(strip.coverage and strip.coverage.open_times), "sessions")
        await shown.press("f")
        await shown.shows("─ New fetch ")
        assert field(shown, "start").value == "2026-03-03T15:30"
        assert field(shown, "end").value == "2026-03-03T21:00"


async def test_marked_series_are_taken_over_with_a_range_that_has_what_each_lacks(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port, size=(120, 30)) as shown:
        workspace = shown.workspace
        for ids, bars, start, end in (
            (("IBM.NYSE",), "1-DAY", "2026-02-02", "2026-02-03"),
            (("GDX.ARCA",), "1-MINUTE", "2026-03-02T14:30", "2026-03-02T15:30"),
            (("GDX.ARCA", "IBM.NYSE"), "1-MINUTE", "2026-03-03T14:30", "2026-03-03T15:30"),
        ):
            await workspace.fetch(FetchRequest(ids, BarSpec.parse(bars), start, end)).wait()
        await shown.press("2")
        await shown.shows("GDX.ARCA", "1-DAY")
        await shown.press("space", "space", "space")
        await shown.shows("3 marked")
        await shown.press("f")
        await shown.shows("─ New fetch ", "1 marked of other bar types")
        assert field(shown, "ids").value == "GDX.ARCA IBM.NYSE"
        # Of GDX a stretch before what is held; of IBM nothing is known since.
        assert (field(shown, "start").value, field(shown, "end").value) == ("2026-03-02T15:30", "")
        await shown.press("enter")
        await shown.until(
            lambda: len(workspace.catalog.read_bars(GDX)) == 390 + 390 + 71, "all until now", 30
        )
        told = [line.event for line in workspace.jobs.log.since(0)]
        asked = [one for one in told if isinstance(one, ChunkRequested) and one.series == GDX][2:]
        held = workspace.catalog.read_bars(GDX, *ns("2026-03-03T14:30", "2026-03-03T15:30"))
        assert len(held) == 60 and not any(one.start <= held.ts[0] < one.end for one in asked)


def ns(*times: str) -> list[int]:
    return [int(datetime.fromisoformat(f"{one}Z").timestamp()) * 10**9 for one in times]


async def test_candles_are_zoomed_panned_and_read_off(tmp_path: Path, gateway_port: int) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await store_hour(shown, "GDX.ARCA")
        await shown.press("2")
        await shown.shows("60 of 60 bars", "┤")
        await shown.press("right_square_bracket")
        await shown.shows("30 of 60 bars")
        before = shown.text
        await shown.press("l")
        await shown.until(lambda: shown.text != before, "later bars")
        await shown.press("enter", "right")
        await shown.shows("2026-03-04 10:", "O ", "H ")


async def test_a_series_that_was_not_updated_lately_is_stale(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        request = FetchRequest(("GDX.ARCA",), BarSpec(1, "DAY"), "2026-02-23", "2026-02-27", None)
        await shown.workspace.fetch(request).wait()
        await shown.press("2")
        await shown.shows("stale 2d")
        await shown.press("u")
        await shown.until(lambda: "stale" not in panel(shown), "the update")


async def test_a_split_is_told_in_the_table_and_stays_a_flag_of_its_series(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await store_hour(shown, "GDX.NASDAQ")
        shown.workspace.catalog.take_note(GDX, "stale", "split 3:1")
        await shown.press("2")
        await shown.shows("STALE split 3:1", "no longer the broker's history, split 3:1")
        shown.workspace.catalog.take_note(GDX, "stale", None)
        shown.workspace.catalog.take_note(GDX, "flags", "split 3:1, rebuilt 2026-03-04")
        await shown.press("R")
        await shown.shows("ok, split 3:1", "split 3:1, rebuilt 2026-03-04")
        await shown.press("d")
        await shown.shows("history", "split 3:1, rebuilt 2026-03-04")
        await shown.press("end")
        await shown.shows("the simulated broker, for contract", "GDX.NASDAQ (typed)")


def panel(shown: Deck) -> str:
    """What stands above the log."""
    return shown.text.split("─ Log ")[0]
