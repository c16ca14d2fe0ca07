"""What the catalog says when it cannot give or take what it was asked to."""

from __future__ import annotations

from pathlib import Path

from catalog.errors import CatalogUnusable, DataUnavailable, WrongInput
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


def mixed_precisions(series: Series, folder: Path) -> DataUnavailable:
    """The files of one series have prices of different decimals."""
    return DataUnavailable(
        f"the files of {series} mix precisions",
        f"another program wrote bars of other decimals into {folder}",
        "move the files of one precision away, then fetch their range again",
    )


def must_not_mix(series: Series, held: str, new: str) -> WrongInput:
    """New bars do not go with those of their series."""
    return WrongInput(
        f"{series} must not mix {held} and {new}",
        f"the stored bars are of {held}, the new ones of {new}",
        "keep them in another catalog, or delete the stored series first",
    )


def another_contract(instrument_id: str, known: int, con_id: int) -> WrongInput:
    """An id meets a second contract."""
    return WrongInput(
        f"{instrument_id} is another contract here",
        f"the catalog holds contract {known} under this id, this is contract {con_id}",
        "keep it in another catalog",
    )


def instrument_not_stored(series: Series) -> CatalogUnusable:
    """Bars come before their instrument."""
    return CatalogUnusable(
        f"the instrument {series.instrument_id} is not stored",
        "bars are only stored after their instrument",
        "fetch again: the instrument is then stored first",
    )


def other_decimals(series: Series, decimals: int, instruments: int) -> WrongInput:
    """Bars do not have the decimals of their instrument."""
    return WrongInput(
        f"{series} has {decimals} decimals",
        f"its instrument has {instruments}, and Nautilus would reject every order on it",
    )
