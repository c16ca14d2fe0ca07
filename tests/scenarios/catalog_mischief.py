"""What befalls a catalog: deaths at a chosen instant. Functions run in worker processes."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from catalog import exchange
from catalog.commit import writing
from catalog.exchange import Change
from catalog.store import Catalog
from tests.scenarios.catalog_samples import AAPL

CALLS: dict[str, tuple[object, str]] = {
    "rename": (Path, "rename"),
    "replace": (Path, "replace"),
    "unlink": (Path, "unlink"),
    "rmdir": (Path, "rmdir"),
    "link": (os, "link"),
    "sync": (exchange, "sync"),
    "rmtree": (shutil, "rmtree"),
}
"""Where a process can be made to die: owner and name of a call that changes the disk."""


def die_before(call: str, survived: int) -> None:
    """Have this process killed in the call after `survived` ones of its kind."""
    owner, name = CALLS[call]
    left = [survived]

    def dying[**P, T](real: Callable[P, T]) -> Callable[P, T]:
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            return real(*args, **kwargs)

        return call

    setattr(owner, name, dying(getattr(owner, name)))


def put_the_last_file_in_the_place_of_the_first(root: str, call: str, survived: int) -> None:
    """Exchange the two files of AAPL for one, dying meanwhile."""
    catalog = Catalog.open(Path(root))
    first, last = catalog.files(AAPL)
    die_before(call, survived)
    with writing(catalog.root) as staging:
        staged = staging.folder / "staged"
        shutil.copy(last, staged)
        staging.exchange(Change("exchange", puts=[(staged, first)], removes=[first, last]))
