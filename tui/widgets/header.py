"""The first line of every screen: where you are, what you are connected to, what runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from tui.widgets.result_progress import percent
from tui.zone import EXCHANGE_ZONE as EXCHANGE_ZONE

if TYPE_CHECKING:
    from core.workspace import Workspace


class Look(NamedTuple):
    """How a state is shown: a sign and a colour, beside its word."""

    sign: str
    colour: str


_NAME = Content.styled(" Quarterdeck ", "bold")

CONNECTION_LOOKS = {
    "connected": Look("●", "$text-success"),
    "connecting": Look("◌", "$text-warning"),
    "reconnecting": Look("◌", "$text-warning"),
    "degraded": Look("◐", "$text-warning"),
    "refused": Look("✕", "$text-error"),
    "disconnected": Look("○", "$text-muted"),
}


@dataclass(frozen=True, slots=True)
class Status:
    """What the line says. Two equal ones draw the same line, so it is drawn once."""

    profile: str
    simulated: bool = False
    live: bool = False
    connection: str = ""
    catalog: str = ""
    jobs: str = ""
    time: str = ""

    @classmethod
    def of(cls, workspace: Workspace) -> Status:
        """The status of an open workspace, now."""
        profile, state = workspace.profile, workspace.broker.state
        return cls(
            profile=profile.name,
            simulated=state.simulated or (profile.simulated and not state.live),
            live=profile.live or state.live,
            connection=str(state.kind),
            catalog=_catalog(workspace.catalog.root),
            jobs=_jobs(workspace),
            time=_exchange_time(workspace.clock()),
        )


def _jobs(workspace: Workspace) -> str:
    running = workspace.jobs.running
    text = f"{len(running)} job" + ("s" if len(running) != 1 else "")
    measured = [job.snapshot.fraction for job in running if job.snapshot.total]
    return f"{text} {percent(sum(measured) / len(measured))}" if measured else text


def _catalog(root: Path) -> str:
    """The folder's name; a default catalog goes by the name of the folder it is in."""
    return root.parent.name if root.name == "catalog" else root.name


def _exchange_time(now: datetime) -> str:
    return f"{now.astimezone(EXCHANGE_ZONE):%H:%M %Z}"


class Header(Widget):
    """One line, drawn again only when its `status` changes.

    Where it is too narrow the name of the program gives way, then the end of the catalog's.
    """

    ALLOW_SELECT: ClassVar[bool] = False

    status: reactive[Status] = reactive(Status(""))

    def render(self) -> Content:
        status = self.status
        right = Content(f"{status.jobs}  {status.time} " if status.time else "")
        parts = [_profile(status), _connection(status)]
        if status.catalog:
            parts.append(Content.assemble(("catalog ", "dim"), status.catalog))
        left = Content("  ").join(parts)
        room = max(self.size.width - right.cell_length - 1, 0)
        if _NAME.cell_length + left.cell_length <= room:
            left = _NAME + left
        left = left.truncate(room, ellipsis=True)
        return left.pad_right(room - left.cell_length + 1) + right


def _profile(status: Status) -> Content:
    if status.simulated:
        return Content.styled(f" {status.profile} SIMULATED ", "bold $text on $secondary")
    if status.live:
        return Content.styled(f" {status.profile} LIVE ", "bold $text on $error")
    return Content.styled(f" {status.profile} ", "bold")


def _connection(status: Status) -> Content:
    if not status.connection:
        return Content("opening the catalog ...")
    look = CONNECTION_LOOKS[status.connection]
    return Content.styled(f"{look.sign} {status.connection}", look.colour)
