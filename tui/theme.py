"""The colours: one accent for focus, green and red for good and bad, the rest quiet."""

from __future__ import annotations

from textual.theme import Theme

THEMES = (
    Theme(
        name="quarterdeck",
        primary="#4f9fcf",
        secondary="#b48a2c",
        accent="#e0b050",
        foreground="#d5dbe1",
        background="#0c141b",
        surface="#101b24",
        panel="#182632",
        success="#5fbf7f",
        warning="#e0a030",
        error="#e0605a",
        dark=True,
        variables={"border-blurred": "#2d4252"},
    ),
    Theme(
        name="quarterdeck-light",
        primary="#1f6a9a",
        secondary="#8a6410",
        accent="#9a5b00",
        foreground="#1d2830",
        background="#f4f6f7",
        surface="#ffffff",
        panel="#e4eaee",
        success="#1d7a3f",
        warning="#9a6200",
        error="#b3261e",
        dark=False,
        variables={"border-blurred": "#a9b8c2"},
    ),
)
