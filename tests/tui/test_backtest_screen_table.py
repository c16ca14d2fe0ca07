"""The table of results: any number of rows, a cursor that keeps to its row, only changes drawn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.pilot import Pilot

from tui.widgets.result_table import Cell, Column, ResultTable, Row, gain

COLUMNS = (Column("name", flexible=True), Column("bars", number=True))


class TableApp(App[None]):
    CSS_PATH = "../../tui/styles/form.tcss"

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []

    def compose(self) -> ComposeResult:
        yield ResultTable(*COLUMNS, empty="nothing here: press n")

    def on_result_table_opened(self, opened: ResultTable.Opened) -> None:
        self.opened.append(opened.key)


@asynccontextmanager
async def table() -> AsyncIterator[tuple[ResultTable, Pilot[Any], TableApp]]:
    app = TableApp()
    async with app.run_test(size=(30, 8)) as pilot:
        yield app.query_one(ResultTable), pilot, app


def rows(count: int) -> list[Row]:
    return [Row(f"key{at}", (Cell(f"row {at}"), Cell(f"{at:,}"))) for at in range(count)]


def lines(shown: ResultTable) -> list[str]:
    return [shown.render_line(y).text.rstrip() for y in range(shown.size.height)]


async def test_an_empty_table_says_what_to_do() -> None:
    async with table() as (shown, pilot, app):
        assert lines(shown)[0] == "nothing here: press n"
        await pilot.press("enter", "j")
        assert app.opened == []


async def test_the_last_of_a_hundred_thousand_rows_is_one_key_away() -> None:
    async with table() as (shown, pilot, app):
        shown.show(rows(100_000))
        await pilot.press("G", "enter")
        assert app.opened == ["key99999"]
        assert lines(shown)[0].split() == ["name", "bars"]
        assert lines(shown)[-1].split() == [">", "row", "99999", "99,999"]
        await pilot.press("k", "k", "g", "j", "enter")
        assert app.opened[-1] == "key1"


async def test_numbers_stand_to_the_right_and_long_texts_lose_their_middle() -> None:
    async with table() as (shown, _, _):
        shown.show([Row("a", (Cell("BEGIN" + "." * 40 + "END"), Cell("1,234")))])
        line = lines(shown)[1]
        assert line.endswith("1,234") and len(line) == 30
        assert "BEGIN" in line and "END" in line and "…" in line


async def test_a_single_cell_takes_the_whole_line() -> None:
    async with table() as (shown, _, _):
        shown.show([*rows(1), Row("x", (Cell("failed: no such thing"),))])
        assert lines(shown)[2] == "  failed: no such thing"


async def test_the_last_of_too_few_cells_takes_the_rest_of_the_line() -> None:
    figures = (Column("return", number=True), Column("Sharpe", number=True))
    async with table() as (shown, _, _):
        shown.show([Row("x", (Cell("X"), Cell("failed: no such data")))], COLUMNS[0], *figures)
        assert lines(shown)[1] == "> X             failed: no su…"


async def test_columns_keep_their_width_while_the_rows_are_the_same_ones() -> None:
    def told(bars: str, count: int) -> list[Row]:
        return [Row(f"{at}", (Cell("a name too long for this"), Cell(bars))) for at in range(count)]

    async with table() as (shown, _, _):
        shown.show(told("1,234,567", 2))
        narrow = lines(shown)[1].rpartition(" ")[0].strip()
        shown.show(told("12", 2))
        assert lines(shown)[1].rpartition(" ")[0].strip() == narrow
        shown.show(told("12", 3))
        assert len(lines(shown)[1].rpartition(" ")[0].strip()) > len(narrow)


async def test_the_cursor_keeps_to_its_row_when_others_come_before_it() -> None:
    async with table() as (shown, pilot, app):
        shown.show(rows(3))
        await pilot.press("j")
        shown.show([Row("new", (Cell("new"), Cell("0"))), *rows(3)])
        await pilot.press("enter")
        assert app.opened == ["key1"]


async def test_only_the_lines_that_differ_are_drawn_again() -> None:
    async with table() as (shown, pilot, _):
        shown.show(rows(5))
        await pilot.pause()
        drawn: list[Region] = []
        refresh = shown.refresh
        shown.refresh = lambda *regions, **how: drawn.extend(regions) or refresh(*regions, **how)  # type: ignore[method-assign]
        changed = rows(5)
        changed[3] = Row("key3", (Cell("row 3"), Cell("9")))
        shown.show(changed)
        assert [region.y for region in drawn] == [4]
        drawn.clear()
        shown.show(list(changed))
        assert drawn == []


async def test_brackets_of_an_id_are_text() -> None:
    async with table() as (shown, _, _):
        shown.show([Row("a", (Cell("ES[Z6].CME"), Cell("[/]")))])
        assert "ES[Z6].CME" in lines(shown)[1] and "[/]" in lines(shown)[1]


def test_gain_and_loss_have_tones_and_nothing_has_none() -> None:
    assert [gain(value, "").tone for value in (1.0, -1.0, 0.0, None)] == ["good", "bad", "", ""]
