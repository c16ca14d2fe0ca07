"""Screen 2: what the catalog holds, and whether it is whole."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.widgets import Static

from tui.screens.base import BaseScreen


class CatalogScreen(BaseScreen):
    """The series of the catalog, one of them in detail."""

    HELP_TITLE: ClassVar[str] = "Catalog"

    def compose_body(self) -> ComposeResult:
        yield Static("opening the catalog ...", id="series", classes="panel")
