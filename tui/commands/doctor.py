"""`quarterdeck doctor`: is everything in place, and what to paste into a bug report."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from catalog.errors import BrokerUnavailable, CatalogUnusable, QuarterdeckError
from tui.commands.invocation import Invocation
from tui.logfile import log_to

if TYPE_CHECKING:
    from core.settings import Home
    from core.workspace import Workspace

LIBRARIES = ("nautilus_trader", "ib_async", "textual", "plotext", "pyarrow", "numpy")
_LEAST_FREE = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    what: str
    verdict: Literal["ok", "note", "bad"]
    text: str


def doctor(context: typer.Context) -> None:
    """Check terminal, settings, folders, Nautilus and broker; names no account and no secret."""
    invocation: Invocation = context.obj
    # Settings that cannot be used are one of its findings.
    invocation = replace(invocation, options=replace(invocation.options, last_good=True))

    async def work(workspace: Workspace) -> int:
        findings = []
        async for finding in examine(workspace):
            findings.append(finding)
            invocation.output.line(f"{finding.verdict:<5} {finding.what:<10} {finding.text}")
        invocation.output.summary(
            findings=[
                {"what": one.what, "verdict": one.verdict, "text": one.text} for one in findings
            ]
        )
        bad = any(one.verdict == "bad" for one in findings)
        return CatalogUnusable.exit_code if bad else 0

    invocation.run(work)


async def examine(workspace: Workspace) -> AsyncIterator[Finding]:
    """Look at one thing after the other."""
    yield Finding("program", "ok", f"quarterdeck {version('quarterdeck')}, {_python()}")
    yield Finding("libraries", "ok", ", ".join(f"{name} {version(name)}" for name in LIBRARIES))
    yield _terminal()
    yield await _nautilus()
    yield await asyncio.to_thread(_settings, workspace.home)
    yield Finding("log file", "ok", _told(log_to(workspace.home.logs)))
    for what, folder in (
        ("state", workspace.home.state),
        ("catalog", workspace.catalog.root),
    ):
        yield await asyncio.to_thread(_folder, what, folder)
    yield await _series(workspace)
    yield await _broker(workspace)


def _python() -> str:
    libc = " ".join(platform.libc_ver())
    return f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {libc}"


def _terminal() -> Finding:
    term, encoding = os.environ.get("TERM", ""), sys.stdout.encoding
    columns, lines = shutil.get_terminal_size()
    colours = os.environ.get("COLORTERM", "") or "no COLORTERM"
    told = f"TERM={term or 'unset'}, {colours}, {columns}x{lines}, {encoding}"
    if term in ("", "dumb") or (columns, lines) < (80, 24) or encoding.lower() != "utf-8":
        return Finding("terminal", "note", f"{told}: the dashboard wants 80x24 and UTF-8")
    return Finding("terminal", "ok", told)


async def _nautilus() -> Finding:
    from catalog import workers

    try:
        loaded = await workers.run(nautilus_version, timeout=30)
    except QuarterdeckError as error:
        return Finding("Nautilus", "bad", f"{error}; it needs glibc 2.34 or newer")
    return Finding("Nautilus", "ok", f"{loaded} loads in a worker process")


def nautilus_version() -> str:
    """The version of Nautilus that a worker process loads."""
    import nautilus_trader.backtest  # noqa: F401

    return version("nautilus_trader")


def _settings(home: Home) -> Finding:
    from tui.remapping import load_settings

    _, problem = load_settings(home)
    if problem is not None:
        return Finding("settings", "bad", f"{problem.reason}; the last good ones are used")
    told = _told(home.settings_file)
    return Finding("settings", "ok", told if home.settings_file.exists() else f"no {told} yet")


def _told(path: Path) -> str:
    return str(path).replace(str(Path.home()), "~")


def _folder(what: str, folder: Path) -> Finding:
    told = _told(folder)
    if not folder.exists():
        return Finding(what, "note", f"{told} does not exist yet")
    free = shutil.disk_usage(folder).free
    told = f"{told}, {free / 1e9:,.0f} GB free"
    if not os.access(folder, os.W_OK):
        return Finding(what, "bad", f"{told}, cannot be written to")
    return Finding(what, "ok" if free > _LEAST_FREE else "note", told)


async def _series(workspace: Workspace) -> Finding:
    try:
        found = await asyncio.to_thread(workspace.catalog.list_series)
    except QuarterdeckError as error:
        return Finding("series", "bad", str(error))
    orphans = sum(not one.has_instrument for one in found)
    damaged = sum(one.damaged for one in found)
    told = f"{len(found):,} series, {orphans:,} without instrument, {damaged:,} damaged files"
    return Finding("series", "note" if orphans or damaged else "ok", told)


async def _broker(workspace: Workspace) -> Finding:
    try:
        await workspace.broker.connect()
    except BrokerUnavailable as error:
        return Finding("broker", "note", f"{error}; look closer with: quarterdeck connect")
    state = workspace.broker.state
    simulated = ", simulated" if state.simulated else ""
    return Finding(
        "broker", "ok", f"{workspace.broker.endpoint}, server {state.server_version}{simulated}"
    )
