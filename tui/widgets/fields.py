"""Labelled values, one below the other."""

from __future__ import annotations

import textwrap
from typing import ClassVar, NamedTuple

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget


class Field(NamedTuple):
    """A label, its value, and the value's style where it is not plain."""

    label: str
    value: str
    style: str = ""


class Fields(Widget):
    """Drawn again only when `fields` changes; long values wrap under themselves."""

    ALLOW_SELECT: ClassVar[bool] = True

    fields: reactive[tuple[Field, ...]] = reactive((), layout=True)

    def __init__(self, title: str, *, id: str) -> None:
        super().__init__(id=id, classes="panel")
        self.border_title = title

    def render(self) -> Content:
        indent = max((len(field.label) for field in self.fields), default=0) + 2
        room = max(self.size.width - indent, 10)
        lines = []
        for field in self.fields:
            rows = textwrap.wrap(field.value, room) or [""]
            lines += [
                Content.assemble((label.ljust(indent), "dim"), (row, field.style))
                for label, row in zip([field.label] + [""] * (len(rows) - 1), rows, strict=True)
            ]
        return Content("\n").join(lines)
