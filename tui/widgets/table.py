"""What a table shows: sheets of cells, and which rows of them in which order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

GAP = 2
"""Cells of the screen before each column."""

_LEAST = 4
"""In fewer cells than these a text is not cut but left out."""

_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its title, and whether it holds numbers, which stand to the right.

    The `flexible` one takes what width the others leave; long texts in it are cut in the middle.
    """

    title: str
    number: bool = False
    flexible: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A text in a `tone`: "", dim, good, bad or warning. The text says it without colour too.

    `order` is what the cell sorts by where its text does not say, as for sizes in kB and MB.
    """

    text: str
    tone: str = ""
    order: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line: what it stands for, and a cell for each column.

    Where there are fewer, the last of them takes the rest of the line.
    """

    key: str
    cells: tuple[Cell, ...]

    @property
    def text(self) -> str:
        """The cells as they are copied, with tabs between."""
        return "\t".join(cell.text for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Sheet:
    """All a table shows, measured: `widths` are those of the widest text of each column.

    Make it with `of`; for many rows in a thread, as it reads every cell.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    widths: tuple[int, ...]

    @classmethod
    def of(cls, columns: Sequence[Column], rows: Sequence[Row]) -> Sheet:
        """The sheet of these rows."""
        widths = [len(column.title) for column in columns]
        for row in rows:
            whole = len(row.cells) == len(columns)
            for at, cell in enumerate(row.cells if whole else row.cells[:-1]):
                widths[at] = max(widths[at], len(cell.text))
        return cls(tuple(columns), tuple(rows), tuple(widths))

    def without(self, title: str) -> Sheet:
        """The same without the column of that title. Every row has a cell for each column."""
        at = [column.title for column in self.columns].index(title)

        def others[T](all_: tuple[T, ...]) -> tuple[T, ...]:
            return all_[:at] + all_[at + 1 :]

        rows = tuple(Row(row.key, others(row.cells)) for row in self.rows)
        return Sheet(others(self.columns), rows, others(self.widths))

    @property
    def width(self) -> int:
        """How wide it is with nothing cut."""
        return sum(self.widths) + GAP * len(self.widths)


class Order(NamedTuple):
    """By which column rows are sorted, and whether the largest comes first."""

    column: int
    descending: bool = False

    @property
    def sign(self) -> str:
        """What stands behind the title of the column."""
        return "▼" if self.descending else "▲"

    def among(self, before: Sequence[Column], now: Sequence[Column]) -> Order | None:
        """The order by the same column among others; None where it is not there."""
        by = before[self.column] if self.column < len(before) else None
        return Order(now.index(by), self.descending) if by in now else None


def arranged(sheet: Sheet, words: Sequence[str], order: Order | None) -> tuple[Row, ...]:
    """The rows that contain all of the words, in any case, sorted.

    Rows without a value in the sorted column come last. Linear in the rows: for very many of them
    call it in a thread.
    """
    rows = sheet.rows
    if words:
        wanted = [word.lower() for word in words]
        rows = tuple(row for row in rows if _contains(row, wanted))
    if order is None or order.column >= len(sheet.columns):
        return rows
    number = sheet.columns[order.column].number
    valued = [(_value(row, order.column, number=number), row) for row in rows]
    known = [(value, row) for value, row in valued if value is not None]
    known.sort(key=lambda pair: pair[0], reverse=order.descending)
    unknown = [row for value, row in valued if value is None]
    return (*(row for _, row in known), *unknown)


def fitted(columns: Sequence[Column], widths: Sequence[int], room: int) -> list[int]:
    """The widths of the first columns, for as many as there is room for. The last of them is cut
    where it is a text; a number is whole or left out, as half a number is another number."""
    found: list[int] = []
    for column, width in zip(columns, widths, strict=True):
        left = room - sum(found) - GAP * (len(found) + 1)
        if left < width and (column.number or left < _LEAST) and found:
            break
        found.append(min(width, max(left, _LEAST)))
    return found


def gain(value: float | None, text: str) -> Cell:
    """A figure with the tone of its sign; `text` shows the sign itself."""
    return Cell(text, "" if not value else "good" if value > 0 else "bad")


def cut_in_the_middle(text: str, width: int) -> str:
    """The text in at most `width` cells, without its middle: both ends of an id tell apart."""
    if len(text) <= width:
        return text
    tail = (width - 1) // 2
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"


def _contains(row: Row, words: Sequence[str]) -> bool:
    text = row.text.lower()
    return all(word in text for word in words)


def _value(row: Row, column: int, *, number: bool) -> tuple[float, str] | None:
    cell = row.cells[column] if column < len(row.cells) else None
    if cell is None or not cell.text:
        return None
    if cell.order is not None:
        return cell.order, ""
    if not number:
        return 0.0, cell.text.lower()
    found = _NUMBER.search(cell.text)
    return (float(found[0].replace(",", "")), "") if found else None
