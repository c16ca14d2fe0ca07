"""A question that is answered by filling in a form."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, Static

from catalog.errors import QuarterdeckError
from tui.screens.dialog import Dialog
from tui.widgets.form import Choice, FormField, first_problem
from tui.widgets.form_reading import problem_in

logger = logging.getLogger(__name__)


class FormDialog[T](Dialog[T]):
    """Dismissed with what `take` makes of the fields' values, or None when it was left.

    `take` is given the values by the names of the fields, and may take its time; what it raises is
    told below the fields, to be put right there. `readers` check fields as they are typed: what
    they raise marks the field, and keeps the form from being taken.
    """

    CSS_PATH = "../styles/form.tcss"
    ENTER: ClassVar[str] = "go on"

    def __init__(
        self,
        question: str,
        hint: str,
        fields: Sequence[FormField],
        take: Callable[[Mapping[str, str]], Awaitable[T]],
        *,
        readers: Mapping[str, Callable[[str], object]] | None = None,
    ) -> None:
        super().__init__()
        self._question = question
        self._hint = hint
        self._fields = fields
        self._take = take
        self._readers = readers or {}
        self._taking: asyncio.Task[None] | None = None

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog -form") as dialog:
            dialog.border_title = self._question
            yield from self._fields
            yield Static(self._hint, id="form-told", markup=False, classes="hint")

    def on_unmount(self) -> None:
        if self._taking is not None:
            self._taking.cancel()

    @on(Input.Changed)
    @on(Choice.Changed)
    def _edited(self, event: Message) -> None:
        event.stop()
        self._check(field for field in self._fields if field.value)

    @on(Input.Submitted)
    @on(Choice.Submitted)
    def _submit(self, event: Message) -> None:
        event.stop()
        if (wrong := self._check(self._fields)) is not None:
            wrong.enter()
        elif self._taking is None or self._taking.done():
            self._tell("reading ...", wrong=False)
            self._taking = asyncio.create_task(self._answer())

    def _check(self, asked: Iterable[FormField]) -> FormField | None:
        """Mark those of the fields asked for that cannot be read; gives the one that is told."""
        problems = {
            field: problem_in(self._readers[field.key], field.value)
            for field in asked
            if field.key in self._readers
        }
        for field in self._fields:
            field.problem = problems.get(field, "")
        wrong = first_problem(self._fields)
        told = self._hint if wrong is None else f"{wrong.label}: {wrong.problem}"
        self._tell(told, wrong=wrong is not None)
        return wrong

    async def _answer(self) -> None:
        try:
            answer = await self._take({field.key: field.value for field in self._fields})
        except QuarterdeckError as error:
            self._tell("\n".join([str(error), *error.steps]), wrong=True)
        except Exception as error:
            logger.exception("a form could not be taken")
            told = f"{type(error).__name__}: {error}; the details are in the log file"
            self._tell(told, wrong=True)
        else:
            self.dismiss(answer)

    def _tell(self, text: str, *, wrong: bool) -> None:
        self.query_one("#form-told", Static).set_class(wrong, "-wrong").update(text)
