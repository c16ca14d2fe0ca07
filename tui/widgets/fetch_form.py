"""The request form of the Fetch screen: instruments, bars, range, and the plan for them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Static

from tui.widgets.form import Choice, FormField, LastWord, first_problem
from tui.widgets.form_reading import (
    BARS,
    DATES,
    DAYS_AT_FIRST,
    problem_in,
    read_bars,
    read_ids_and_lists,
    read_optional_time,
)

if TYPE_CHECKING:
    from catalog.series import BarSpec
    from core.fetch import FetchRequest

_USUAL_HOURS = "usual"
_RAW, _ADJUSTED = "raw", "adjusted for dividends"
_HINT = "enter plans and starts; AAPL ESZ6.CME EUR/USD ^SPX.CBOE @list; ^s searches"
_READERS: dict[str, Callable[[str], object]] = {
    "ids": read_ids_and_lists,
    "bars": read_bars,
    "start": read_optional_time,
    "end": read_optional_time,
}


class FetchForm(Vertical):
    """Checks what is typed as it is typed; enter in any field submits it."""

    @dataclass
    class Submitted(Message):
        """Enter was pressed, and nothing is wrong."""

        form: FetchForm

    class Edited(Message):
        """What was planned is no longer what is typed."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, classes="panel")
        self.border_title = "New fetch"
        self._ids = LastWord()
        self._submitted = False
        self._told = _HINT
        self._begun = False

    def compose(self) -> ComposeResult:
        dates = LastWord(DATES)
        with Horizontal():
            yield FormField(
                "ids",
                "ids",
                placeholder="e.g. AAPL IBM.NYSE",
                suggester=self._ids,
            )
        with Horizontal():
            yield FormField("bars", "bars", BARS[0], suggester=LastWord(BARS))
            yield FormField("start", "from", placeholder="e.g. 2024-01 or -30d", suggester=dates)
            yield FormField("end", "to", placeholder="(now)", suggester=dates)
        with Horizontal():
            yield FormField(
                "hours", "hours", _USUAL_HOURS, choices=(_USUAL_HOURS, "regular", "all")
            )
            yield FormField("prices", "prices", _RAW, choices=(_RAW, _ADJUSTED), classes="-wide")
        yield Static(_HINT, id="told", markup=False)

    def begin(self, now: datetime, ids: tuple[str, ...], *, adjusted: bool) -> None:
        """Fill in what is usual, once; from then on `ids` are those that are completed.

        `adjusted` says that the catalog's prices are.
        """
        self._ids.words = ids
        if not self._begun:
            self._begun = True
            if adjusted:
                self.field("prices").value = _ADJUSTED
            if not self.field("start").value:
                self.field("start").value = f"{now - timedelta(days=DAYS_AT_FIRST):%Y-%m-%d}"

    def fill(self, ids: tuple[str, ...], bars: BarSpec | None) -> None:
        """Take over instruments and a bar type."""
        self.field("ids").value = " ".join(ids)
        if bars is not None:
            self.field("bars").value = str(bars)
        self.field("start").enter()

    @property
    def last_word(self) -> str:
        """The id that is being typed; empty after a blank."""
        return re.split("[ ,]", self.field("ids").query_one(Input).value)[-1]

    def add(self, ids: tuple[str, ...], *, instead_of: str) -> None:
        """Put ids behind those that are typed, in place of the last word where it is named."""
        field = self.field("ids")
        before = field.value.removesuffix(instead_of).split()
        field.value = " ".join([*before, *ids])
        field.enter()

    def request(self, now: datetime) -> FetchRequest:
        """What is typed, shorthands for dates spelled out at `now`. Raises `WrongInput`."""
        from core.fetch import FetchRequest
        from core.ranges import spell_out

        hours = self.field("hours").value
        start, end = self.field("start").value, self.field("end").value
        return FetchRequest(
            ids=read_ids_and_lists(self.field("ids").value),
            bars=read_bars(self.field("bars").value),
            start=spell_out(start, now) or None,
            end=spell_out(end, now, end=True) or None,
            hours="regular" if hours == "regular" else "all" if hours == "all" else None,
            adjusted=self.field("prices").value == _ADJUSTED,
        )

    def tell(self, text: str = "") -> None:
        """Say something below the fields, where nothing is wrong with them."""
        self._told = text or _HINT
        self._tell_problem()

    @on(Input.Changed)
    @on(Choice.Changed)
    def _edited(self, event: Message) -> None:
        event.stop()
        self._check()
        self.post_message(self.Edited())

    @on(Input.Submitted)
    @on(Choice.Submitted)
    def _submit(self, event: Message) -> None:
        event.stop()
        self._submitted = True
        self._check()
        wrong = first_problem(self.query(FormField))
        if wrong is not None:
            wrong.enter()
            return
        self._submitted = False
        self.post_message(self.Submitted(self))

    def field(self, name: str) -> FormField:
        """The field of that name."""
        return next(field for field in self.query(FormField) if field.key == name)

    def _check(self) -> None:
        for field in self.query(FormField):
            typed = bool(field.value) or self._submitted
            read = _READERS.get(field.key)
            field.problem = problem_in(read, field.value) if read and typed else ""
        self._tell_problem()

    def _tell_problem(self) -> None:
        wrong = first_problem(self.query(FormField))
        told = self.query_one("#told", Static)
        told.set_class(wrong is not None, "-wrong")
        told.update(f"{wrong.label}: {wrong.problem}" if wrong else self._told)
