"""Whether the broker is there, tried step by step, with what to change where it is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.keys import named
from tui.screens.dialog import Dialog
from tui.widgets.fields import Field, Fields
from tui.widgets.reading import Reading

if TYPE_CHECKING:
    from core.jobs import Job

_REFRESH_S = 0.25
_STEPS = ("tcp", "handshake", "login", "clock", "farms", "data")


class Diagnosis(Dialog[None]):
    """Shows what a diagnosis reports; leaving it ends one that still runs."""

    BINDINGS: ClassVar[list[BindingType]] = named(
        "dialog", Binding("escape,q,enter", "dismiss", "close")
    )

    def __init__(self, job: Job[None]) -> None:
        super().__init__()
        self._job = job

    def compose(self) -> ComposeResult:
        with Reading(id="diagnosis", classes="dialog") as dialog:
            dialog.border_title = "Diagnosis"
            yield Fields("", id="steps")

    def on_mount(self) -> None:
        self._show()
        self.set_interval(_REFRESH_S, self._show)

    def on_unmount(self) -> None:
        self._job.cancel()

    def _show(self) -> None:
        self.query_one(Fields).fields = tuple(_told(self._job))


def _told(job: Job[None]) -> Iterator[Field]:
    from core.ibkr.diagnosis import StepDoubtful, StepFailed, StepPassed

    done = 0
    for line in job.log.since(0):
        match line.event:
            case StepPassed(step=step, detail=detail):
                yield Field(step, f"✓ {detail}", "$text-success")
            case StepDoubtful(step=step, detail=detail, advice=advice):
                yield Field(step, f"! {detail}", "$text-warning")
                yield Field("", f"  {advice}")
            case StepFailed(step=step, detail=detail, steps=steps):
                yield Field(step, f"✕ {detail}", "$text-error")
                yield from (Field("", f"  {at}. {text}") for at, text in enumerate(steps, 1))
            case _:
                continue
        done = _STEPS.index(step) + 1
    for name in _STEPS[done:]:
        yield Field(name, "trying ..." if job.running and name == _STEPS[done] else "not tried")
