"""Importing, exporting, deleting and fetching anew from the catalog screen."""

from __future__ import annotations

from pathlib import Path

from core.instrument_updates import InstrumentsUpdated
from tests.tui.deck import Deck, deck
from tests.tui.test_catalog_mending import GDX, panel
from tests.tui.test_catalog_screen import store_hour
from tui.screens.form_dialog import FormDialog
from tui.widgets.form import FormField


async def fill(shown: Deck, **values: str) -> None:
    """Fill in the form that is shown."""
    await shown.until(lambda: isinstance(shown.app.screen, FormDialog), "the form")
    for field in shown.app.screen.query(FormField):
        if field.key in values:
            field.value = values[field.key]


def morning(path: Path) -> Path:
    """Ten minutes of AAPL on a Tuesday, New York time."""
    rows = [f"2024-01-02 09:{30 + number},180.10,180.20,180.00,180.10,100" for number in range(10)]
    path.write_text("\n".join(["Date,Open,High,Low,Close,Volume", *rows]))
    return path


async def test_a_file_is_imported_once_all_is_said_and_shown(tmp_path: Path) -> None:
    file = morning(tmp_path / "aapl.csv")
    async with deck(tmp_path / "home", profile="paper-gateway") as shown:
        await shown.press("2")
        await shown.shows("Nothing is stored yet")
        await shown.press("i")
        await shown.shows("─ Import bars ")
        await fill(shown, files=str(file), series="AAPL.NASDAQ-1-MINUTE")
        await shown.press("enter")
        await shown.shows("may be those of the open or of the close", "--stamps open")
        await fill(shown, stamps="open", zone="America/New_York", hours="all")
        await shown.press("enter")
        await shown.shows("─ Import 10 bars into AAPL.NASDAQ 1-MINUTE-LAST? ", "10 of 10 rows")
        assert shown.workspace.catalog.list_series() == []
        await shown.press("y")
        await shown.shows("> AAPL.NASDAQ", "2024-01-02", "10 bars imported")
        await shown.press("U")
        await shown.shows("─ Take back the last change? ")
        await shown.press("y")
        await shown.shows("Nothing is stored yet")


async def test_a_demonstration_takes_no_real_bars(tmp_path: Path) -> None:
    async with deck(tmp_path / "home") as shown:
        await shown.press("2", "i")
        await shown.shows("─ Import bars ")
        await fill(shown, files=str(morning(tmp_path / "aapl.csv")), series="AAPL.NASDAQ-1-MINUTE")
        await shown.press("enter")
        await shown.shows("the profile demo is for simulated bars")
        await shown.press("escape")
        await shown.until(lambda: "Import bars" not in shown.text)


async def test_a_range_is_exported_as_it_is_asked_for(tmp_path: Path, gateway_port: int) -> None:
    out = tmp_path / "out"
    async with deck(tmp_path / "home", gateway_port) as shown:
        await store_hour(shown, "GDX.ARCA")
        await shown.press("2")
        await shown.shows("GDX.ARCA", "┤")
        await shown.press("E")
        await shown.shows("─ Export ", "1 file, one for each series")
        await fill(shown, folder=str(out), start="2026-03-04T14:30", end="2026-03-04T14:40")
        await shown.press("enter")
        await shown.shows("10 bars exported to")
        (file,) = out.glob("*.csv")
        assert len(file.read_text().splitlines()) == 11

        await shown.press("E")
        await fill(shown, folder=str(out))
        await shown.press("enter")
        await shown.shows("exists: nothing was written", "choose: replace files yes")
        await fill(shown, format="parquet")
        await shown.press("enter")
        await shown.shows("60 bars exported to")
        assert [one.suffix for one in sorted(out.iterdir())] == [".csv", ".parquet"]


async def test_deleting_asks_with_the_consequence_and_is_taken_back(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await store_hour(shown, "GDX.ARCA", "IBM.NYSE")
        await shown.press("2")
        await shown.shows("GDX.ARCA", "IBM.NYSE", "┤")
        await shown.press("space", "space")
        await shown.shows("2 marked")
        await shown.press("delete")
        await shown.shows("─ Delete bars ", "of 2 series")
        await shown.press("enter")
        await shown.shows("─ Delete 120 bars of 2 series? ", "from where U puts them back")
        await shown.press("n")
        assert len(shown.workspace.catalog.list_series()) == 2
        await shown.press("escape", "g", "delete")
        await shown.shows("─ Delete bars ", "of GDX.ARCA 1-MINUTE-LAST")
        await shown.press("enter")
        await shown.shows("─ Delete 60 bars of 1 series? ", "GDX.ARCA 1-MINUTE-LAST")
        await shown.press("y")
        await shown.until(lambda: "GDX.ARCA" not in panel(shown), "one series less")
        await shown.press("U")
        await shown.shows("─ Take back the last change? ")
        await shown.press("y")
        await shown.until(lambda: "GDX.ARCA" in panel(shown), "the series again")


async def test_a_range_is_deleted_and_then_missing(tmp_path: Path, gateway_port: int) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await store_hour(shown, "GDX.ARCA")
        await shown.press("2")
        await shown.shows("GDX.ARCA", "┤")
        await shown.press("delete")
        await fill(shown, start="tomorrow")
        await shown.press("enter")
        await shown.shows("'tomorrow' is not a time")
        await fill(shown, start="2026-03-04T14:40", end="2026-03-04T15:00")
        await shown.press("enter")
        await shown.shows("─ Delete 20 bars of 1 series? ", "counts as never asked")
        await shown.press("y")
        await shown.shows("1 missing: d lists, f fetches", "40 of 40 bars")


async def test_a_stale_series_is_fetched_anew_after_a_yes(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await store_hour(shown, "GDX.ARCA")
        catalog = shown.workspace.catalog
        before = catalog.read_bars(GDX)
        catalog.take_note(GDX, "stale", "split 3:1")
        await shown.press("2")
        await shown.shows("STALE split 3:1", "N fetches it anew")
        await shown.press("N")
        await shown.shows("─ Fetch 60 bars of 1 series anew? ", "stay until")
        await shown.press("y")
        await shown.shows("ok, split 3:1")
        assert catalog.list_series()[0].flags == ("split 3:1, rebuilt 2026-03-04",)
        assert catalog.read_bars(GDX) == before


async def test_all_instruments_are_asked_for_again_after_a_yes(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await store_hour(shown, "GDX.ARCA", "IBM.NYSE")
        await shown.press("2")
        await shown.shows("GDX.ARCA", "IBM.NYSE")
        await shown.press("I")
        await shown.shows("─ Ask for all instruments again? ", "differs becomes")
        await shown.press("y")
        await shown.shows("0 instruments changed, 2 did not")
        lines = shown.workspace.jobs.log.since(0)
        assert [one.event for one in lines if isinstance(one.event, InstrumentsUpdated)] == [
            InstrumentsUpdated(0, 2, 0, 0)
        ]


async def test_the_help_tells_all_of_these_keys(tmp_path: Path, gateway_port: int) -> None:
    async with deck(tmp_path, gateway_port, size=(100, 60)) as shown:
        await store_hour(shown, "GDX.ARCA")
        await shown.press("2")
        await shown.shows("GDX.ARCA")
        await shown.press("question_mark")
        await shown.shows(
            "Import bars from files; shows them and asks",
            "Write these series, or a range, to files",
            "Move bars of these into the trash; asks",
            "Fetch all of these series anew; asks",
            "Ask for all instruments again; asks",
        )
