"""What the catalog says when it cannot give what was asked for."""

from __future__ import annotations

from pathlib import Path

from catalog.errors import DataUnavailable
from catalog.series import Series


def unknown_series(series: Series) -> DataUnavailable:
    """Nothing of a series is stored."""
    return DataUnavailable(
        f"no bars of {series} are stored",
        "the catalog holds nothing of this series",
        f"quarterdeck fetch {series.instrument_id} --bars {series.spec} --start T --end T",
    )


def overlapping_files(one: Path, other: Path) -> DataUnavailable:
    """Two files hold bars of the same time."""
    return DataUnavailable(
        f"{one.name} and {other.name} overlap",
        f"two files in {one.parent} hold bars of the same time",
        "start Quarterdeck again: what an interrupted write left is then finished",
        "or move away the file that another program wrote",
    )
