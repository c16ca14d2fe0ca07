"""What a check of the catalog found, what each finding means, and what mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from catalog.wording import counted
from tui.keys import named
from tui.screens.confirm import Confirm
from tui.screens.dialog import CLOSE, Dialog
from tui.widgets.result_table import Cell, Column, ResultTable, Row

if TYPE_CHECKING:
    from catalog.checks.findings import Finding
    from catalog.health import CheckReport
    from core.jobs import Job
    from core.workspace import Workspace

_REFRESH_S = 0.25
_STEPS_IN_QUESTION = 8
_COLUMNS = (Column("severity"), Column("what"), Column("about", flexible=True))
_TONES = {"error": "bad", "warning": "warning", "notice": "dim"}
_KEYS = {
    "repair": "r repairs it",
    "backfill": "B asks the broker for the instrument",
    "rebuild": "esc leads to the series, where N fetches it anew",
}


class Findings(Dialog["CheckReport"]):
    """Checks the catalog and shows what is wrong; dismissed with the last report, if there is one.

    `then_repair` asks at once whether to do what a repair would.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *named(
            "findings",
            Binding("r", "repair", "repair", tooltip="Show what a repair would do, and ask"),
            Binding("B", "backfill", "backfill", tooltip="Ask the broker for missing instruments"),
            Binding("c", "check", "check again", tooltip="Look again"),
            Binding(
                "x", "cancel", "cancel", tooltip="Stop the check, or the repair after this step"
            ),
        ),
        *named("dialog", Binding("escape,q", "close", "close", id=CLOSE)),
    ]

    def __init__(self, workspace: Workspace, *, then_repair: bool) -> None:
        super().__init__()
        self._workspace = workspace
        self._then_repair = then_repair
        self._job: Job[object] | None = None
        self._report: CheckReport | None = None

    def compose(self) -> ComposeResult:
        with Vertical(id="findings", classes="dialog") as dialog:
            dialog.border_title = "Findings"
            yield Static(id="findings-told", markup=False)
            yield ResultTable(*_COLUMNS, id="findings-table", opens=False)
            yield Static(id="finding", markup=False)

    async def on_mount(self) -> None:
        self.query_one(ResultTable).focus()
        self.action_check()
        self.set_interval(_REFRESH_S, self._follow)

    def action_check(self) -> None:
        """Check, unless something runs."""
        if self._job is None:
            self._begin(self._workspace.care.check())

    def action_cancel(self) -> None:
        """Stop what runs."""
        if self._job is not None:
            self._job.cancel()

    def action_close(self) -> None:
        """Leave; a check ends with it, a repair does not."""
        if self._job is not None and self._job.kind == "check":
            self._job.cancel()
        self.dismiss(self._report)

    def action_backfill(self) -> None:
        """Ask the broker for the instruments of bars without one, then check again."""
        if self._job is None:
            self._begin(self._workspace.care.backfill())

    def action_repair(self) -> None:
        """Show what a repair would do; do it when that is confirmed."""
        if self._job is not None or self._report is None:
            return
        from catalog.repair import plan

        steps = plan(self._report.findings)
        if not steps:
            self.notify("nothing that a repair would mend", timeout=3)
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._begin(self._workspace.care.repair(steps))

        lines = [str(step) for step in steps[:_STEPS_IN_QUESTION]]
        if len(steps) > len(lines):
            lines.append(f"and {len(steps) - len(lines):,} more")
        lines += ["", "What a step replaces lies in the trash for 7 days; U takes the last back."]
        self.app.push_screen(
            Confirm(f"Do {counted(len(steps), 'step')}?", "\n".join(lines)), answered
        )

    @on(ResultTable.Reached)
    def _explain(self) -> None:
        """Say what the finding under the cursor means and what mends it."""
        key = self.query_one(ResultTable).cursor_key
        text = ""
        if self._report is not None and key is not None:
            one = self._report.findings[int(key)]
            mend = _KEYS.get(one.remedy, one.mend)
            text = "\n".join(filter(None, [one.detail, one.file, one.meaning, f"-> {mend}"]))
        self.query_one("#finding", Static).update(text)

    def _begin[T](self, job: Job[T]) -> None:
        self._job = cast("Job[object]", job)
        self._tell(f"{job.title} ...")

    async def _follow(self) -> None:
        """Show how far the job is, and what it found at its end."""
        job = self._job
        if job is None:
            return
        at = job.snapshot
        if job.running:
            if at.total:
                self._tell(f"{job.title}: {at.done:,.0f} of {at.total:,.0f} {at.unit} {at.text}")
            return
        self._job = None
        if at.error is not None:
            self._tell(f"{at.error}")
        elif at.state != "done":
            self._tell(f"{job.title}: {at.state}")
        elif job.kind == "backfill":
            self.action_check()
        else:
            self._show(cast("CheckReport", await job.wait()))

    def _show(self, report: CheckReport) -> None:
        self._report = report
        rows = [_row(at, finding) for at, finding in enumerate(report.findings)]
        self.query_one(ResultTable).show(rows)
        self._tell(_totals(report))
        self._explain()
        if self._then_repair:
            self._then_repair = False
            self.action_repair()

    def _tell(self, text: str) -> None:
        self.query_one("#findings-told", Static).update(text)


def _row(at: int, finding: Finding) -> Row:
    cells = (
        Cell(finding.severity, _TONES[finding.severity]),
        Cell(finding.kind.replace("_", " ")),
        Cell(finding.subject.removesuffix("-EXTERNAL")),
    )
    return Row(str(at), cells)


def _totals(report: CheckReport) -> str:
    files = counted(report.files, "file")
    return f"{report.totals} in {files}, {report.files_read:,} of them read now"
