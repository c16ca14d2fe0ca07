"""From findings to steps, and from steps to a mended catalog.

A plan is a dry run: it says what would be done. Each step is a transaction of its own under the
writer lock and looks at the disk again, so that a plan may be old. What a step replaces lies in
the trash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, get_args
from uuid import uuid4

from catalog.checks.bar_files import Unusable, load
from catalog.checks.findings import Finding
from catalog.checks.folders import SERIES_PARENTS
from catalog.checks.remembered import soundness
from catalog.commit import writing
from catalog.errors import QuarterdeckError
from catalog.events import Event, Level, Report, ignore
from catalog.exchange import Change, keep
from catalog.files import damaged
from catalog.instruments import definition_path, read_definitions
from catalog.inventory import parquet_files
from catalog.layout import file_name, series_folder
from catalog.ledger import Ledger
from catalog.ledger_schema import put_aside
from catalog.quarantine import quarantine
from catalog.repair_series import mend_series
from catalog.root import PRIVATE
from catalog.series import Series

type Action = Literal[
    "renew the ledger", "sweep", "put aside", "rename", "lay out", "merge", "forget"
]

_ACTIONS: dict[str, Action] = {
    "ledger": "renew the ledger",
    "left_over": "sweep",
    "unreadable": "put aside",
    "damaged": "put aside",
    "wrong_schema": "put aside",
    "wrong_metadata": "put aside",
    "empty_file": "put aside",
    "mixed_precision": "lay out",
    "precision": "lay out",
    "misnamed": "lay out",
    "misplaced": "rename",
    "overlap": "lay out",
    "duplicates": "lay out",
    "unordered": "lay out",
    "scattered": "lay out",
    "footer_dropped": "lay out",
    "legacy": "lay out",
    "renamed": "merge",
    "lost": "forget",
}
"""What is done about each kind of finding that a repair can mend."""

_SENTENCES: dict[Action, str] = {
    "renew the ledger": "make the ledger anew from what the files say",
    "sweep": "remove what killed writers left behind",
    "put aside": "move to quarantine, so that its bars are missing and can be fetched again",
    "rename": "move it to the name and folder of its content",
    "lay out": "gather all its bars, each once and in order, and write them into their files",
    "merge": "move its bars to the id that it was found to mean",
    "forget": "forget the bars that are gone, so that they are missing and can be fetched again",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction of a repair: what is done, to what, in which files, and why: the kinds of
    findings and what the first one says. `files` are relative to the root."""

    action: Action
    subject: str
    files: tuple[str, ...]
    kinds: tuple[str, ...]
    detail: str

    def __str__(self) -> str:
        return f"{self.subject}: {_SENTENCES[self.action]} ({', '.join(self.kinds)})"

    def as_record(self) -> dict[str, object]:
        """The step as one JSON-able object."""
        return {
            "action": self.action,
            "subject": self.subject,
            "files": self.files,
            "kinds": self.kinds,
            "detail": self.detail,
            "message": str(self),
        }


@dataclass(frozen=True, slots=True)
class StepDone(Event):
    """A step of a repair is done, and is on disk."""

    channel: ClassVar[str] = "catalog"

    done: int
    total: int
    step: str

    def __str__(self) -> str:
        return f"{self.done} of {self.total} mended: {self.step}"


@dataclass(frozen=True, slots=True)
class StepFailed(Event):
    """A step of a repair could not be done; what it was about is as before."""

    level: ClassVar[Level] = Level.ERROR
    channel: ClassVar[str] = "catalog"

    step: str
    reason: str

    def __str__(self) -> str:
        return f"not mended: {self.step}: {self.reason}"


def plan(findings: Iterable[Finding]) -> tuple[Step, ...]:
    """The steps that mend what a repair can mend, in the order they are done."""
    steps: dict[tuple[Action, str], list[Finding]] = {}
    for finding in findings:
        action = _ACTIONS.get(finding.kind)
        if action is None:
            continue
        if action == "lay out" and finding.series is None:
            action = "rename"
        about_one_file = action in ("put aside", "rename")
        subject = finding.file if about_one_file and finding.file else finding.subject
        steps.setdefault((action, "catalog" if action == "sweep" else subject), []).append(finding)
    return tuple(
        Step(
            action,
            subject,
            tuple(sorted({one.file for one in about if one.file})),
            tuple(sorted({one.kind for one in about})),
            about[0].detail,
        )
        for (action, subject), about in sorted(steps.items(), key=_place)
    )


def repair(
    root: Path,
    steps: Sequence[Step],
    *,
    report: Report = ignore,
    stopped: Callable[[], bool] = lambda: False,
) -> int:
    """Do the steps, each whole or not at all; gives how many failed, each of which was told.

    `stopped` is asked between steps.
    """
    failed = 0
    for number, step in enumerate(steps, 1):
        if stopped():
            break
        try:
            _do(root, step, report)
        except QuarterdeckError as error:
            failed += 1
            report(StepFailed(step.subject, str(error)))
        else:
            report(StepDone(number, len(steps), step.subject))
    return failed


def _place(item: tuple[tuple[Action, str], list[Finding]]) -> tuple[int, str]:
    (action, subject), _ = item
    return get_args(Action.__value__).index(action), subject


def _do(root: Path, step: Step, report: Report) -> None:
    paths = [root / name for name in step.files]
    match step.action:
        case "renew the ledger":
            _renew_ledger(root)
        case "sweep":
            _sweep(root, paths)
        case "put aside":
            quarantine(root, paths[0], step.detail, report)
        case "rename":
            _put_in_place(root, paths[0])
        case "lay out":
            series = Series.from_bar_type(step.subject)
            folder = root / series_folder(series)
            elsewhere = [path for path in paths if path.parent != folder and path.exists()]
            mend_series(root, series, elsewhere, report)
        case "merge":
            _merge_into_alias(root, Series.from_bar_type(step.subject), report)
        case "forget":
            _forget_lost(root, step.subject)


def _renew_ledger(root: Path) -> None:
    """Let go of what the files say themselves. A ledger that SQLite finds damaged is put aside,
    and what can still be read of it taken over; who has it open must open it again."""
    path = _ledger_path(root)
    with writing(root) as staging:
        with closing(Ledger(path)) as ledger:
            if soundness(ledger) is None:
                ledger.forget_files()
                return
            rest = ledger.salvage()
        damaged = put_aside(path)
        with closing(Ledger(path)) as ledger:
            ledger.take_over(rest)
        staging.exchange(Change("a damaged ledger", removes=[damaged]))


def _sweep(root: Path, paths: Sequence[Path]) -> None:
    with writing(root) as staging:  # sweeps its own folder first
        gone = [path for path in paths if path.is_file()]
        if gone:
            staging.exchange(Change("left-overs swept", removes=gone))


def _put_in_place(root: Path, path: Path) -> None:
    """Move a file to the folder of its content, under its own name or, where that is taken,
    under one that a later step gives its bars away from."""
    with writing(root) as staging:
        target = root / _proper_place(root, path)
        if target == path:
            return
        if target.exists():
            target = target.with_name(f"{uuid4().hex}.parquet")
        staged = staging.folder / target.name
        keep(path, staged)
        staging.exchange(
            Change(f"{path.name} put in its place", puts=[(staged, target)], removes=[path])
        )


def _proper_place(root: Path, path: Path) -> Path:
    if path.relative_to(root).parent.parent not in SERIES_PARENTS:
        return definition_path(read_definitions(path)[-1])
    try:
        loaded = load(path)
    except Unusable as flaw:
        raise damaged(path, flaw.reason) from flaw
    name = file_name(int(loaded.bars.ts.min()), int(loaded.bars.ts.max()))
    return series_folder(loaded.series) / name


def _merge_into_alias(root: Path, series: Series, report: Report) -> None:
    with closing(Ledger(_ledger_path(root))) as ledger:
        meant = ledger.alias(series.instrument_id)
    if meant is None:
        return
    files = [path for path, _, _ in parquet_files(root / series_folder(series))]
    mend_series(root, Series(meant[0], series.spec), files, report)


def _forget_lost(root: Path, bar_type: str) -> None:
    with writing(root), closing(Ledger(_ledger_path(root))) as ledger:
        ledger.forget_lost(bar_type=bar_type)


def _ledger_path(root: Path) -> Path:
    return root / PRIVATE / "ledger.sqlite"
