"""Screen 1: whether the broker is there, and why not."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.widgets import Static

from tui.screens.base import BaseScreen


class ConnectionScreen(BaseScreen):
    """The state of the connection, the data farms, and what the broker told."""

    HELP_TITLE: ClassVar[str] = "Connection"

    def compose_body(self) -> ComposeResult:
        yield Static("opening the catalog ...", id="session", classes="panel")
