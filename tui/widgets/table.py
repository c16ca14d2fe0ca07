"""The table of all screens: rows to walk through with arrows or with j and k."""

from __future__ import annotations

from typing import Any, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import DataTable


class RowTable(DataTable[Any]):
    """A `DataTable` with a row cursor and the keys of an editor.

    Cells are made with `left` and `right`, which set them one cell apart from what stands before
    them. A plain string would be read as markup, which eats the brackets of an instrument id.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", "open"),
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
        Binding("g", "scroll_top", show=False),
        Binding("G", "scroll_bottom", show=False),
    ]

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, cursor_type="row", cell_padding=0)

    @property
    def selected_key(self) -> str | None:
        """The key of the row under the cursor; None in an empty table."""
        if not self.row_count:
            return None
        return self.coordinate_to_cell_key(self.cursor_coordinate).row_key.value


def left(text: str, style: str = "") -> Text:
    """A cell of text."""
    return Text(f" {text}", style, no_wrap=True)


def right(text: str, style: str = "") -> Text:
    """A cell with a number."""
    return Text(f" {text}", style, justify="right", no_wrap=True)


def cut_in_the_middle(text: str, width: int) -> str:
    """The text in at most `width` cells, without its middle: both ends of an id tell apart."""
    if len(text) <= width:
        return text
    tail = (width - 1) // 2
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"
