"""What is asked before bars are imported, exported or deleted on the Catalog screen.

What would destroy or add anything is told and asked once more before a job begins.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from textual.app import App

from catalog.errors import WrongInput
from tui.screens.confirm import Confirm
from tui.screens.form_dialog import FormDialog
from tui.widgets.form import FormField, LastWord
from tui.widgets.form_reading import DATES, read_optional_time

if TYPE_CHECKING:
    from catalog.exporting import Format
    from catalog.importing import ImportPlan, ImportRequest
    from catalog.listing import SeriesSummary
    from core.catalog_jobs import Range
    from core.workspace import Workspace

type Values = Mapping[str, str]

_NAMED_IN_QUESTION = 6
_UNSAID = "not said"
"""The choice that leaves an option out."""


class _Export(NamedTuple):
    ranges: list[Range]
    folder: Path
    kind: Format
    replace: bool


class _Deletion(NamedTuple):
    ranges: list[Range]
    bars: list[int]


def ask_export(app: App[Any], workspace: Workspace, chosen: Sequence[SeriesSummary]) -> None:
    """Ask where to, as what and which bars of these series, and write them."""

    def answered(export: _Export | None) -> None:
        if export is not None:
            ranges, folder, kind, replace = export
            workspace.care.export(ranges, folder, kind, replace=replace)

    fields = (
        FormField("folder", "folder", str(Path.home())),
        FormField("format", "format", "csv", choices=("csv", "parquet", "arrow")),
        *_range_fields(),
        FormField("replace", "replace files", "no", choices=("no", "yes")),
    )
    hint = f"{_count(chosen, 'file')}, one for each series; no dates: all bars"
    take = partial(_in_thread, _exported, workspace, chosen)
    app.push_screen(FormDialog("Export", hint, fields, take), answered)


def ask_delete(
    app: App[Any],
    workspace: Workspace,
    chosen: Sequence[SeriesSummary],
    then: Callable[[], object],
) -> None:
    """Ask which bars of these series, tell how many that are, and delete them after a yes."""

    def counted(deletion: _Deletion | None) -> None:
        if deletion is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                workspace.care.delete(deletion.ranges)
                then()

        question = f"Delete {sum(deletion.bars):,} bars of {len(chosen):,} series?"
        app.push_screen(Confirm(question, _consequence(deletion)), answered)

    hint = f"of {_names(chosen)}; no dates: all bars. Nothing goes before a yes."
    take = partial(_in_thread, _deleted, workspace, chosen)
    app.push_screen(FormDialog("Delete bars", hint, _range_fields(), take), counted)


def ask_import(app: App[Any], workspace: Workspace, series: str) -> None:
    """Ask for files and what they do not say, show what an import would do, and do it after a
    yes."""

    def planned(plan: ImportPlan | None) -> None:
        if plan is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                workspace.care.import_bars(plan)

        from tui.import_preview import preview

        lines = [f"{name:<12} {value}" for name, value in preview(plan).items()]
        question = f"Import {plan.adding:,} bars into {plan.request.series}?"
        app.push_screen(Confirm(question, "\n".join(lines)), answered)

    fields = (
        FormField("files", "files", placeholder="CSV, Parquet or Arrow, with blanks between"),
        FormField("series", "series", series, placeholder="e.g. AAPL.NASDAQ-1-MINUTE-LAST"),
        FormField("stamps", "stamps", _UNSAID, choices=(_UNSAID, "open", "close")),
        FormField("zone", "zone", placeholder="of times that say none: America/New_York"),
        FormField("time_format", "time format", placeholder="e.g. %d/%m/%Y %H:%M"),
        FormField("columns", "columns", placeholder='not found by name: close="Adj Close"'),
        FormField("hours", "hours", _UNSAID, choices=(_UNSAID, "regular", "all")),
        FormField("overlap", "overlap", _UNSAID, choices=(_UNSAID, "skip", "overwrite", "merge")),
        FormField("kind", "as", _UNSAID, choices=(_UNSAID, "equity", "index", "commodity")),
        FormField("currency", "currency", "USD"),
        FormField("bad_rows", "bad rows", "refuse", choices=("refuse", "skip")),
    )
    hint = "several files are one series; 'as' makes an instrument where none is stored"
    take = partial(_in_thread, _planned, workspace)
    app.push_screen(FormDialog("Import bars", hint, fields, take), planned)


async def _in_thread[T](work: Callable[..., T], *arguments: object) -> T:
    return await asyncio.to_thread(work, *arguments)


def _range_fields() -> tuple[FormField, FormField]:
    dates = LastWord(DATES)
    return (
        FormField("start", "from", placeholder="e.g. 2024-01 or -30d", suggester=dates),
        FormField("end", "to", placeholder="included when it is a date", suggester=dates),
    )


def _exported(workspace: Workspace, chosen: Sequence[SeriesSummary], values: Values) -> _Export:
    from catalog.exporting import FORMATS, export_name

    (kind,) = (one for one in FORMATS if one == values["format"])
    folder, replace = Path(values["folder"]).expanduser(), values["replace"] == "yes"
    ranges = list(_ranges(workspace, chosen, values))
    for series, _ in ranges:
        path = folder / export_name(series, kind)
        if path.exists() and not replace:
            raise WrongInput(f"{path} exists", "nothing was written", "choose: replace files yes")
    return _Export(ranges, folder, kind, replace)


def _deleted(workspace: Workspace, chosen: Sequence[SeriesSummary], values: Values) -> _Deletion:
    from catalog.deleting import count_bars

    ranges = list(_ranges(workspace, chosen, values))
    return _Deletion(ranges, [count_bars(workspace.catalog, *one) for one in ranges])


def _ranges(
    workspace: Workspace, chosen: Sequence[SeriesSummary], values: Values
) -> Iterator[Range]:
    from core.held_range import held_range
    from core.ranges import spell_out

    now = workspace.clock()
    start = read_optional_time(spell_out(values["start"], now))
    end = read_optional_time(spell_out(values["end"], now, end=True))
    for one in chosen:
        yield one.series, held_range(workspace.catalog, one.series, start, end)


def _planned(workspace: Workspace, values: Values) -> ImportPlan:
    from catalog.importing import plan_import, require_decision
    from tui.import_preview import refuse_demo

    refuse_demo(workspace)
    plan = plan_import(workspace.catalog, _request(values))
    require_decision(plan)
    return plan


def _request(values: Values) -> ImportRequest:
    from catalog.importing import ImportRequest, typed_series

    said: dict[str, Any] = {
        name: None if values[name] in ("", _UNSAID) else values[name]
        for name in ("zone", "stamps", "time_format", "hours", "overlap", "kind")
    }
    try:
        names, columns = shlex.split(values["files"]), shlex.split(values["columns"])
    except ValueError as error:
        raise WrongInput("a quotation mark is left open", str(error)) from None
    if not names:
        raise WrongInput("no file", "name one", "write for example ~/data/aapl.csv")
    return ImportRequest(
        tuple(Path(name).expanduser() for name in names),
        typed_series(values["series"]),
        columns=dict(pair.partition("=")[::2] for pair in columns),
        currency=values["currency"] or "USD",
        skip_bad_rows=values["bad_rows"] == "skip",
        **said,
    )


def _consequence(deletion: _Deletion) -> str:
    told = [
        f"{series}  {bars:,} bars"
        for (series, _), bars in zip(deletion.ranges, deletion.bars, strict=True)
    ]
    lines = told[:_NAMED_IN_QUESTION]
    if len(told) > len(lines):
        lines.append(f"and {len(told) - len(lines):,} more")
    lines += ["", "They go to the trash, from where U puts them back for 7 days."]
    lines.append("What is deleted counts as never asked: an update fetches it again.")
    return "\n".join([*lines, "The instruments stay."])


def _names(chosen: Sequence[SeriesSummary]) -> str:
    return str(chosen[0].series) if len(chosen) == 1 else f"{len(chosen):,} series"


def _count(chosen: Sequence[SeriesSummary], what: str) -> str:
    return f"{len(chosen):,} {what}{'s' * (len(chosen) != 1)}"
