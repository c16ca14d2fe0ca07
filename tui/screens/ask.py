"""A question that is answered with a line of text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, Static

from tui.screens.dialog import Dialog
from tui.widgets.form import LastWord
from tui.widgets.form_reading import problem_in


class Ask(Dialog[str]):
    """Asks `question`; dismissed with the text, or None when it was left.

    `read` raises `WrongInput` for a text that will not do; `words` complete it.
    """

    ENTER: ClassVar[str] = "take it"

    def __init__(
        self,
        question: str,
        hint: str,
        value: str = "",
        *,
        words: Iterable[str] = (),
        read: Callable[[str], object] = str,
    ) -> None:
        super().__init__()
        self._question = question
        self._hint = hint
        self._value = value
        self._words = tuple(words)
        self._read = read

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = self._question
            field = Input(
                self._value, compact=True, suggester=LastWord(self._words), select_on_focus=False
            )
            field.cursor_blink = False
            yield field
            yield Static(self._hint, id="asked", markup=False, classes="hint")

    @on(Input.Submitted)
    def _answer(self, submitted: Input.Submitted) -> None:
        submitted.stop()
        text = submitted.value.strip()
        if problem := problem_in(self._read, text):
            self.query_one("#asked", Static).update(problem)
        else:
            self.dismiss(text)
