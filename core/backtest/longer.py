"""Longer bars that a strategy sees besides those of its run: stored ones, named by a parameter.

`slow=1-DAY-LAST-EXTERNAL` (Nautilus' word for bars that come from outside) is read from the
catalog, of every instrument of the run; with an id before it, of that one. Without `-EXTERNAL`
Nautilus makes longer bars of the run's own, and nothing is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.errors import WrongInput
from catalog.series import BarSpec, Series

if TYPE_CHECKING:
    from core.backtest.data import InstrumentData

_STORED = "-EXTERNAL"


@dataclass(frozen=True, slots=True)
class NamedBars:
    """Stored bars that the parameter `name` asks for; without an id, of every instrument."""

    name: str
    instrument_id: str
    spec: BarSpec

    def of(self, instrument_id: str) -> bool:
        """Whether they are wanted of this instrument."""
        return self.instrument_id in ("", instrument_id)


def named_bars(parameters: Mapping[str, object]) -> tuple[NamedBars, ...]:
    """The stored bars that parameters ask for. Raises `WrongInput` for a bar type that is none."""
    return tuple(
        _read(name, value.strip())
        for name, value in parameters.items()
        if isinstance(value, str) and value.strip().endswith(_STORED) and "@" not in value
    )


def refuse_shorter(parameters: Mapping[str, object], bars: BarSpec) -> None:
    """Raise `WrongInput` for bars that are not longer than those of the run."""
    for named in named_bars(parameters):
        if named.spec != bars and named.spec.nanos <= bars.nanos:
            raise WrongInput(
                f"{named.name} asks for {named.spec} bars in a run on {bars}",
                "orders fill on the bars of the run: they have to be the shortest",
                f"run on them: --bars {named.spec}",
            )


def refuse_strangers(wanted: Iterable[NamedBars], instruments: Iterable[InstrumentData]) -> None:
    """Raise `WrongInput` for bars of an instrument that is not in the run."""
    ids = [each.instrument_id for each in instruments]
    for named in wanted:
        if not any(named.of(one) for one in ids):
            raise WrongInput(
                f"{named.name} asks for bars of {named.instrument_id}, which is not in the run",
                f"the run is on {', '.join(ids)}",
                f"name {named.instrument_id} among the instruments, or leave its id out",
            )


def _read(name: str, text: str) -> NamedBars:
    if "." not in text:
        return NamedBars(name, "", BarSpec.parse(text.removesuffix(_STORED)))
    series = Series.from_bar_type(text)
    return NamedBars(name, series.instrument_id, series.spec)
