"""Errors told in the user's words: what failed, why, and what to do next."""

from __future__ import annotations

from typing import ClassVar


class QuarterdeckError(Exception):
    """An error a person reads: a title, the reason, and numbered next steps.

    `exit_code` is what the command line ends with. Raise one of the subclasses.
    """

    exit_code: ClassVar[int] = 4

    def __init__(self, title: str, reason: str = "", *steps: str) -> None:
        super().__init__(title)
        self.title = title
        self.reason = reason
        self.steps = steps

    def __str__(self) -> str:
        return f"{self.title}: {self.reason}" if self.reason else self.title

    def __reduce__(self) -> tuple[type[QuarterdeckError], tuple[str, ...]]:
        # The default drops reason and steps when an error crosses a process border.
        return type(self), (self.title, self.reason, *self.steps)

    def as_record(self) -> dict[str, object]:
        """The error as one JSON-able object."""
        return {"title": self.title, "reason": self.reason, "steps": list(self.steps)}


class DataUnavailable(QuarterdeckError):
    """The data asked for is not there, or a run failed."""

    exit_code = 1


class WrongInput(QuarterdeckError):
    """What was typed cannot be used; nothing was changed."""

    exit_code = 2


class BrokerUnavailable(QuarterdeckError):
    """The broker cannot be reached, refuses, or holds requests back."""

    exit_code = 3


class CatalogUnusable(QuarterdeckError):
    """The catalog, or the system below it, cannot be used."""

    exit_code = 4
