"""`quarterdeck catalog check | repair | backfill | undo`: what is wrong, and mending it."""

from __future__ import annotations

import asyncio
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.errors import WrongInput
from catalog.wording import counted
from tui.commands.invocation import Invocation

if TYPE_CHECKING:
    from catalog.checks.findings import Finding
    from catalog.health import CheckReport
    from core.workspace import Workspace
    from tui.output import Output

_UNSOUND = 4
"""The exit code while a finding is an error: bars that cannot be used or would be read wrong."""


def check(
    context: typer.Context,
    full: Annotated[
        bool, typer.Option("--full", help="Read also files that have not changed since.")
    ] = False,
) -> None:
    """Check every file, series and instrument. Ends with 4 while a finding is an error, else
    with 0."""
    invocation: Invocation = context.obj

    async def work(workspace: Workspace) -> int:
        from core.mending import check_catalog

        report = await check_catalog(
            workspace.catalog, workspace.clock, full=full, report=invocation.output.progress
        )
        _print_findings(report, invocation.output)
        return _UNSOUND if report.count("error") else 0

    invocation.run(work)


def repair(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, only show it.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be done, as without --yes.")
    ] = False,
) -> None:
    """Show what would mend the catalog, step by step; with --yes, do it.

    Every step is whole or not done at all, and what it replaces lies in the trash for 7 days.
    Ends with 4 when a step could not be done.
    """
    invocation: Invocation = context.obj
    output = invocation.output
    if yes and dry_run:
        raise WrongInput("--yes and --dry-run contradict each other", "choose one of them")

    async def work(workspace: Workspace) -> int:
        from catalog.repair import plan
        from core.mending import Mended, check_catalog, mend_catalog

        found = await check_catalog(workspace.catalog, workspace.clock, report=output.progress)
        steps = plan(found.findings)
        if not steps:
            output.line("nothing that a repair would mend")
        if not yes:
            for step in steps:
                output.line(str(step))
            if steps:
                output.line(
                    f"{counted(len(steps), 'step')}, done with: quarterdeck catalog repair --yes"
                )
            output.summary(done=False, steps=[step.as_record() for step in steps])
            return 0
        mended = Mended(0, found)
        if steps:
            mended = await mend_catalog(workspace.catalog, workspace.clock, steps, output.event)
        output.line()
        output.line(mended.left.totals)
        output.summary(
            done=True,
            steps=[step.as_record() for step in steps],
            failed=mended.failed,
            findings=[one.as_record() for one in mended.left.findings],
        )
        return _UNSOUND if mended.failed else 0

    invocation.run(work)


def backfill(context: typer.Context) -> None:
    """Ask the broker for the instruments of all bars that have none, and store them."""
    invocation: Invocation = context.obj
    output = invocation.output

    async def work(workspace: Workspace) -> int:
        from core.backfilling import backfill as backfill_all

        result = await backfill_all(
            workspace.catalog, workspace.broker, workspace.clock, output.event
        )
        if not result.stored and not result.failed:
            output.line("every series has its instrument")
        for held_as, instrument_id in result.stored.items():
            if held_as != instrument_id:
                output.line(
                    f"the bars of {held_as} belong to {instrument_id}: quarterdeck catalog repair"
                )
        output.summary(
            stored=result.stored,
            failed={orphan: error.as_record() for orphan, error in result.failed.items()},
        )
        return max((error.exit_code for error in result.failed.values()), default=0)

    invocation.run(work)


def undo(
    context: typer.Context,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be put back.")
    ] = False,
) -> None:
    """Take back the last repair step, deletion or import: what it replaced is put back."""
    invocation: Invocation = context.obj
    output = invocation.output

    async def work(workspace: Workspace) -> int:
        from catalog.trash import undoable
        from core.mending import undo_last

        steps = await asyncio.to_thread(undoable, workspace.catalog.root)
        for one in steps[-1:]:
            output.line(
                f"the last of {counted(len(steps), 'step')} that can be undone: {one.title}, "
                f"{one.at:%Y-%m-%d %H:%M} UTC"
            )
            output.line(f"puts back {counted(len(one.kept), 'file')}, takes out {len(one.added):,}")
            for path in one.kept:
                output.line(f"  {path}")
        if not (dry_run and steps):
            await undo_last(workspace.catalog, output.event)
        (last,) = steps[-1:]
        output.summary(
            done=not dry_run,
            title=last.title,
            at=last.at.isoformat(),
            restored=last.kept,
            removed=[path for path, _, _ in last.added],
            steps=len(steps),
        )
        return 0

    invocation.run(work)


def _print_findings(report: CheckReport, output: Output) -> None:
    from catalog.checks.findings import SEVERITIES

    def alike(finding: Finding) -> tuple[str, str]:
        return finding.severity, finding.kind

    def weight(finding: Finding) -> tuple[int, str]:
        return SEVERITIES.index(finding.severity), finding.kind

    worst_first = sorted(report.findings, key=weight)
    for (severity, kind), some in groupby(worst_first, key=alike):
        findings = list(some)
        output.line(f"{severity}: {kind.replace('_', ' ')}: {findings[0].meaning}")
        for finding in findings:
            output.line(f"  {finding}")
        output.line(f"  -> {'; '.join(sorted({one.mend for one in findings}))}")
    output.line(report.totals)
    output.line(
        f"{counted(report.files, 'file')}, {report.files_read:,} of them read now "
        f"({report.bytes_read / 1e6:,.1f} MB in {report.seconds:,.1f} s)"
    )
    output.summary(
        findings=[one.as_record() for one in report.findings],
        errors=report.count("error"),
        warnings=report.count("warning"),
        notices=report.count("notice"),
        files=report.files,
        files_read=report.files_read,
        bytes_read=report.bytes_read,
        seconds=report.seconds,
    )
