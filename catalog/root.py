"""Which folders can be a catalog, and our own folder in it."""

from __future__ import annotations

import os
from pathlib import Path

from catalog.errors import WrongInput

PRIVATE = Path(".quarterdeck")
"""Our own folder, relative to a catalog's root: ledger, staging, lock."""

_NEVER_READ = frozenset("#?%")


def prepare_root(root: Path, *, create: bool) -> tuple[Path, bool]:
    """The absolute path of a catalog's root, made when absent and `create` is set, and whether it
    can be written.

    Raises `WrongInput` when there is no such folder and none can be made, or when Nautilus could
    never read from it.
    """
    root = root.expanduser().absolute()
    if root.exists() and not root.is_dir():
        raise WrongInput(f"{root} is not a folder", "a catalog is a folder of Parquet files")
    if _NEVER_READ & set(str(root)):
        raise WrongInput(
            f"{root} cannot hold a catalog",
            "Nautilus cannot read from a path with '#', '?' or '%' in it",
            "choose another folder",
        )
    if not root.exists() and not create:
        raise WrongInput(f"there is no catalog at {root}", "the folder does not exist")
    try:
        root.mkdir(parents=True, exist_ok=True)
        writable = os.access(root, os.W_OK)
        if writable:
            (root / PRIVATE).mkdir(exist_ok=True)
    except OSError as error:
        raise not_writable(root, error) from error
    return root, writable


def not_writable(root: Path, reason: object) -> WrongInput:
    """The error for a catalog that may only be read."""
    return WrongInput(
        f"the catalog {root} cannot be written",
        str(reason),
        "choose another folder with --catalog, or change its permissions",
    )
