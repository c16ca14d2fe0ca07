"""Fields of a form, one line each: a label, what is typed, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input, Label

from tui.keys import named


class LastWord(Suggester):
    """Completes the last word of what is typed, of words that may change; right arrow takes it."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self.words = tuple(words)

    async def get_suggestion(self, value: str) -> str | None:
        """The whole text, its last word completed; None where no word begins like it."""
        start = max(value.rfind(" "), value.rfind(",")) + 1
        begun = value[start:].upper()
        found = (word for word in self.words if begun and word.upper().startswith(begun))
        word = next(found, None)
        return value + word[len(begun) :] if word else None


class Choice(Widget, can_focus=True):
    """One of a few words, changed with the arrow keys or space."""

    BINDINGS: ClassVar[list[BindingType]] = named(
        "choice",
        Binding("right,l,space", "turn(1)", "next choice", id="next"),
        Binding("left,h", "turn(-1)", "Previous choice", show=False, id="previous"),
        Binding("enter", "submit", "Submit the form", show=False),
    )

    value: reactive[str] = reactive("")

    @dataclass
    class Changed(Message):
        """Another word was chosen."""

        choice: Choice

    @dataclass
    class Submitted(Message):
        """Enter was pressed."""

        choice: Choice

    def __init__(self, choices: tuple[str, ...], value: str) -> None:
        super().__init__()
        self._choices = choices
        self.set_reactive(Choice.value, value)

    def render(self) -> Content:
        return Content(f"◂ {self.value} ▸" if self.has_focus else self.value)

    def watch_value(self) -> None:
        self.post_message(self.Changed(self))

    def action_turn(self, step: int) -> None:
        """Choose the next or the previous word."""
        at = self._choices.index(self.value) if self.value in self._choices else -step
        self.value = self._choices[(at + step) % len(self._choices)]

    def action_submit(self) -> None:
        """Submit as Enter in a text field does."""
        self.post_message(self.Submitted(self))


class FormField(Horizontal):
    """A label and a text field, or a `Choice` where there are `choices`.

    `problem` is what is wrong with the value; a field with one is marked by colour and sign.
    """

    def __init__(
        self,
        name: str,
        label: str,
        value: str = "",
        *,
        placeholder: str = "",
        choices: tuple[str, ...] = (),
        suggester: Suggester | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, classes=classes)
        self._label = label
        self._problem = ""
        self._entry: Choice | Input = (
            Choice(choices, value)
            if choices
            else Input(value, placeholder, compact=True, suggester=suggester)
        )
        if isinstance(self._entry, Input):
            # A blinking cursor sends 3 KB a second over a slow line.
            self._entry.cursor_blink = False

    def compose(self) -> ComposeResult:
        yield Label(self._label, markup=False)
        yield self._entry

    @property
    def key(self) -> str:
        """The name of the field in its form."""
        return self.name or ""

    @property
    def label(self) -> str:
        """What stands before the field."""
        return self._label

    @property
    def value(self) -> str:
        """What is typed or chosen, without blanks around it."""
        return self._entry.value.strip()

    @value.setter
    def value(self, text: str) -> None:
        self._entry.value = text

    @property
    def problem(self) -> str:
        """What is wrong with the value; empty when nothing is."""
        return self._problem

    @problem.setter
    def problem(self, problem: str) -> None:
        if problem == self._problem:
            return
        self._problem = problem
        self.set_class(bool(problem), "-wrong")
        self.query_one(Label).update(f"!{self._label}" if problem else self._label)

    def enter(self) -> None:
        """Put the focus into the field."""
        self._entry.focus()


def first_problem(fields: Iterable[FormField]) -> FormField | None:
    """The field with a problem to tell: the one in focus, else the first one."""
    wrong = [field for field in fields if field.problem]
    focused = [field for field in wrong if field.has_focus_within]
    return next(iter(focused + wrong), None)
