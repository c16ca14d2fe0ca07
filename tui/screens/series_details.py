"""All that is known of a series: coverage piece by piece, and its instrument."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from catalog.errors import QuarterdeckError
from tui.keys import named
from tui.screens.dialog import Dialog
from tui.widgets.coverage import STATES, ends, moment
from tui.widgets.fields import Field, Fields
from tui.widgets.reading import Reading

if TYPE_CHECKING:
    from catalog.listing import SeriesSummary
    from catalog.store import Catalog

type Read = Callable[[Catalog, SeriesSummary], Iterator[Field]]

_PIECES = 200
_HOLES = 50
_NOT_TOLD = ("info", "ts_event", "ts_init")
_STYLES = {"held": "$text-success", "none": "dim", "missing": "$text-error"}


class SeriesDetails(Dialog[None]):
    """Read when it is opened; the missing pieces come first."""

    BINDINGS: ClassVar[list[BindingType]] = named(
        "dialog", Binding("escape,q,enter,d", "dismiss", "close")
    )

    def __init__(self, catalog: Catalog, summary: SeriesSummary) -> None:
        super().__init__()
        self._catalog = catalog
        self._summary = summary
        self._reading: asyncio.Task[None] | None = None

    def compose(self) -> ComposeResult:
        with Reading(id="series-details", classes="dialog") as dialog:
            dialog.border_title = str(self._summary.series)
            for title in ("coverage", "instrument"):
                fields = Fields(title, id=f"its-{title}")
                fields.fields = (Field("", "reading ..."),)
                yield fields

    def on_mount(self) -> None:
        self.query_one(Reading).focus()
        self._reading = asyncio.create_task(self._read())

    def on_unmount(self) -> None:
        if self._reading is not None:
            self._reading.cancel()

    async def _read(self) -> None:
        for part, read in (("coverage", _coverage), ("instrument", _instrument)):
            try:
                fields = await asyncio.to_thread(_all, read, self._catalog, self._summary)
            except QuarterdeckError as error:
                fields = (Field("", str(error), "$text-error"),)
            self.query_one(f"#its-{part}", Fields).fields = fields


def _all(read: Read, catalog: Catalog, summary: SeriesSummary) -> tuple[Field, ...]:
    return tuple(read(catalog, summary))


def _coverage(catalog: Catalog, summary: SeriesSummary) -> Iterator[Field]:
    """Missing pieces, those the broker has none of, the held ones, and holes in these."""
    from catalog.stretches import coverage

    series = summary.series
    if summary.stale:
        no_longer = f"{summary.stale}: the broker now tells another; N fetches it anew"
        yield Field("history", no_longer, "$text-error")
    for flag in summary.flags:
        yield Field("history", flag)
    told = coverage(catalog, series)
    by_concern = sorted(
        told.stretches, key=lambda one: ("missing", "none", "held").index(one.state)
    )
    for one in by_concern[:_PIECES]:
        bars = f"  {one.bars:,} bars" if one.bars else ""
        first, last = ends(one, series.spec)
        yield Field(STATES[one.state], f"{first} to {last}{bars}", _STYLES[one.state])
    if len(by_concern) > _PIECES:
        yield Field("", f"and {len(by_concern) - _PIECES:,} more pieces")
    for hole in told.holes[:_HOLES]:
        span = f"{moment(hole.start)} to {moment(hole.end)}"
        yield Field("lacking in a session", f"{span}  {hole.bars:,} bars", "$text-warning")
    if len(told.holes) > _HOLES:
        yield Field("", f"and {len(told.holes) - _HOLES:,} more such holes")
    if told.closed:
        yield Field("closed weekdays", ", ".join(map(str, told.closed)))
    told_by = told.sessions or "nobody: all time counts as open"
    yield Field("sessions told by", f"{told_by}; times in UTC")


def _instrument(catalog: Catalog, summary: SeriesSummary) -> Iterator[Field]:
    """The latest definition, the versions with what changed, and the other names."""
    from catalog.instruments import id_source

    instrument_id = summary.series.instrument_id
    versions = catalog.versions(instrument_id)
    if not versions:
        yield Field("", "no instrument is stored with these bars: B asks the broker for it")
        return
    latest = versions[-1]
    for name, value in {**latest, **(latest.get("info") or {})}.items():
        if name not in _NOT_TOLD and value not in (None, "", []):
            yield Field(name.replace("_", " "), str(value))
    for at, one in enumerate(versions):
        stored = moment(int(one["ts_init"]))
        yield Field("version", f"since {stored}" if at else f"of {stored}, and for all time before")
    yield Field("id told by", id_source(latest))
    names = [
        f"{name} ({source})" if source else name
        for name, source in catalog.aliases(instrument_id).items()
    ]
    yield Field("also called", ", ".join(names) or "nothing else")
