"""Any table: filter as one types, sort by a column, marks, copies; also with very many rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.binding import Binding

from tests.tui.deck import Deck
from tui.widgets.result_table import Cell, Column, ResultTable, Row
from tui.widgets.table import Order, Sheet, arranged

COLUMNS = (Column("instrument", flexible=True), Column("rows", number=True))
HELD = {"GDX.ARCA": "23,790", "AAPL.NASDAQ": "1,318", "EUR/USD.IDEALPRO": "", "MSFT.NASDAQ": "980"}


def row(name: str, text: str) -> Row:
    return Row(name, (Cell(name), Cell(text)))


class TableApp(App[None]):
    CSS = "ResultTable { height: 12; }"
    BINDINGS = [Binding("escape", "left", "left"), Binding("x,delete", "left", "left")]  # noqa: RUF012

    def __init__(self, rows: list[Row], **options: bool) -> None:
        super().__init__()
        self.rows, self.options, self.left = rows, options, 0

    def compose(self) -> ComposeResult:
        yield ResultTable(*COLUMNS, **self.options)  # type: ignore[arg-type]

    def on_mount(self) -> None:
        self.query_one(ResultTable).show(self.rows)
        self.query_one(ResultTable).focus()

    def action_left(self) -> None:
        self.left += 1


@asynccontextmanager
async def table(rows: list[Row], **options: bool) -> AsyncIterator[tuple[Deck, ResultTable]]:
    app = TableApp(rows, **options)
    async with app.run_test(size=(60, 14)) as pilot:
        yield Deck(app, pilot), app.query_one(ResultTable)  # type: ignore[arg-type]


def held(**options: bool) -> object:
    return table([row(name, text) for name, text in HELD.items()], **options)


def names(shown: Deck) -> list[str]:
    """The instruments on the screen from top to bottom."""
    return [found for line in shown.text.splitlines() for found in HELD if f"{found} " in line]


async def test_a_number_is_whole_or_left_out_and_a_title_tells_of_more() -> None:
    rows = [Row("GDX.ARCA", tuple(map(Cell, ("GDX.ARCA", "23,790", "1,318.25", "as typed by me"))))]
    columns = (*COLUMNS, Column("price", number=True), Column("note"))
    async with table([]) as (shown, view):
        view.show(rows, *columns)
        for width, line in (
            (60, "instrument                  rows     price  note"),
            (40, "inst…ent    rows     price  note"),
            (26, "inst…ent    rows …"),
            (13, "inst…ent …"),
        ):
            await shown.pilot.resize_terminal(width, 14)
            await shown.until(lambda line=line: shown.text.lstrip().startswith(line), line)
            assert ("1,318.25" in shown.text) == ("price" in line)


async def test_slash_filters_as_one_types_and_escape_clears() -> None:
    async with held() as (shown, _):
        await shown.press("slash", *"nas")
        await shown.shows("/nas_", "2 of 4")
        assert names(shown) == ["AAPL.NASDAQ", "MSFT.NASDAQ"]
        await shown.press("space", "m")
        assert names(shown) == ["MSFT.NASDAQ"]
        await shown.press("x")
        await shown.shows("nothing contains these words")
        await shown.press("backspace", "space", *"no", "ctrl+w", "delete", "enter")
        await shown.shows("/nas m ")
        assert shown.app.left == 0  # type: ignore[attr-defined]
        await shown.press("x")  # no longer typed: a key again
        assert shown.app.left == 1  # type: ignore[attr-defined]
        await shown.press("escape")
        await shown.until(lambda: len(names(shown)) == 4)
        await shown.press("escape")  # nothing to clear: it goes back, as everywhere
        assert shown.app.left == 2  # type: ignore[attr-defined]


async def test_the_cursor_keeps_to_its_row_through_filter_and_order() -> None:
    async with held() as (shown, rows):
        await shown.press("j", "slash", *"nasdaq", "enter")
        assert rows.cursor_key == "AAPL.NASDAQ"
        await shown.press("escape", "o", "o", "O")
        assert rows.cursor_key == "AAPL.NASDAQ"


async def test_one_key_sorts_by_the_next_column_and_another_turns_the_order() -> None:
    async with held() as (shown, _):
        await shown.press("o")
        await shown.shows("instrument▲")
        assert names(shown) == sorted(HELD)
        await shown.press("o")
        await shown.shows("rows▲")
        assert names(shown) == ["MSFT.NASDAQ", "AAPL.NASDAQ", "GDX.ARCA", "EUR/USD.IDEALPRO"]
        await shown.press("O")
        await shown.shows("rows▼")
        assert names(shown) == ["GDX.ARCA", "AAPL.NASDAQ", "MSFT.NASDAQ", "EUR/USD.IDEALPRO"]
        await shown.press("o")
        assert names(shown) == list(HELD)


async def test_space_marks_rows_and_marks_survive_a_filter_and_new_rows() -> None:
    async with held(marks=True) as (shown, rows):
        assert rows.chosen_keys == ("GDX.ARCA",)
        await shown.press("space", "space", "k", "space")
        await shown.shows("1 marked", "*GDX.ARCA")
        await shown.press("slash", *"eur")
        assert rows.marked_keys == rows.chosen_keys == ("GDX.ARCA",)
        rows.show([row("AAPL.NASDAQ", "1"), row("GDX.ARCA", "2")])
        assert rows.marked_keys == ("GDX.ARCA",)
        rows.show([row("AAPL.NASDAQ", "1")])
        assert rows.marked_keys == ()


async def test_a_row_is_copied_with_its_cells() -> None:
    async with held() as (shown, _):
        await shown.press("j", "Y")
        assert shown.app.clipboard == "AAPL.NASDAQ\t1,318"


async def test_a_cursor_can_wait_for_rows_that_are_still_read() -> None:
    async with table([]) as (_, rows):
        rows.point_at("MSFT.NASDAQ")
        rows.show([row(name, text) for name, text in HELD.items()])
        assert rows.cursor_key == "MSFT.NASDAQ"


async def test_fifty_thousand_rows_are_filtered_and_sorted_beside_the_loop() -> None:
    many = [row(f"N{number:05}.ARCA", f"{number * 7919 % 50_000:,}") for number in range(50_000)]
    async with table(many) as (shown, rows):
        await shown.press("o", "o")
        await shown.until(lambda: rows.cursor_row == many[0] and "rows▲" in shown.text)
        await shown.press("home")
        await shown.until(lambda: "N00000.ARCA" in shown.text)
        await shown.press("slash", *"n4999")
        await shown.shows("10 of 50,000")
        await asyncio.sleep(0)
        assert rows.virtual_size.height < 20


@given(st.lists(st.one_of(st.none(), st.integers(-(10**9), 10**9))), st.booleans())
def test_numbers_sort_by_value_and_what_has_none_comes_last(
    values: list[int | None], descending: bool
) -> None:
    rows = [
        row(str(at), "n/a" if value is None else f"{value:,} B") for at, value in enumerate(values)
    ]
    order = arranged(Sheet.of(COLUMNS, rows), (), Order(1, descending))
    found = [values[int(one.key)] for one in order]
    known = sorted((value for value in values if value is not None), reverse=descending)
    assert found == known + [None] * (len(values) - len(known))


async def test_columns_stay_wide_only_as_long_as_nothing_is_cut_for_it() -> None:
    job = "a job with a name of nearly forty letters"
    async with table([row(job, "a text of nearly thirty letters")]) as (shown, rows):
        await shown.shows("thirty letters")
        assert job not in shown.text
        rows.show([row(job, "done")])
        await shown.shows(job)
