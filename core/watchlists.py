"""Watchlists: `@name` among ids stands for a list of the settings, `@path` for a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from catalog.errors import WrongInput


def expand(ids: Iterable[str], watchlists: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The ids with those of watchlists in their place, each once, in order. May read files.

    A file has one id a line; what follows a `#` is a comment. Raises `WrongInput` for a list that
    there is not, and for one without ids.
    """
    named: list[str] = []
    for typed in ids:
        named += _listed(typed, watchlists) if typed.startswith("@") else [typed]
    return tuple(dict.fromkeys(named))


def _listed(typed: str, watchlists: Mapping[str, Sequence[str]]) -> list[str]:
    name = typed.removeprefix("@")
    if name in watchlists:
        listed = list(watchlists[name])
    else:
        try:
            lines = Path(name).expanduser().read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            known = ", ".join(f"@{one}" for one in watchlists) or "none yet"
            raise WrongInput(
                f"there is no watchlist '{typed}'",
                f"lists in the settings: {known}; as a file: {error}",
                'add it to settings.toml: [watchlists] and a line as tech = ["AAPL", "MSFT"]',
                "or name a file with one id a line: @path/to/file",
            ) from None
        listed = [found for line in lines if (found := line.partition("#")[0].strip())]
    if not listed:
        raise WrongInput(f"the watchlist '{typed}' is empty", "it names no ids", "add some")
    return listed
