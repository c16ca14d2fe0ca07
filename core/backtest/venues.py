"""Where a run trades: the venue of each instrument, and how it is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from catalog.errors import WrongInput
from catalog.events import Event
from catalog.series import Series

type VenueSource = Literal["instrument", "bars", "default"]

DEFAULT_VENUE = "SIM"
_IN_WORDS: Mapping[VenueSource, str] = {
    "instrument": "from the instrument",
    "bars": "from the bars; the instrument is synthetic",
    "default": "by default, as the bars name none; the instrument is synthetic",
}


@dataclass(frozen=True, slots=True)
class VenueDetected(Event):
    """The venue an instrument is traded on in a run, and what says so.

    With any source but `instrument` there is no stored instrument, and the run makes a synthetic
    one: equity, USD, multiplier 1, the precision of the bars. `made_up` is a stored instrument that
    an import made of what its files say: synthetic as well.
    """

    channel = "venue"

    venue: str
    source: VenueSource
    instrument_id: str
    made_up: bool = False

    def __str__(self) -> str:
        synthetic = ", a synthetic one that an import made up" if self.made_up else ""
        return f"{self.instrument_id} on {self.venue}, {_IN_WORDS[self.source]}{synthetic}"

    @property
    def synthetic(self) -> bool:
        """Whether the instrument is made up, for the run or by an import."""
        return self.made_up or self.source != "instrument"


def detect_venue(definition: Mapping[str, object] | None, series: Series) -> VenueDetected:
    """The venue of the instrument; else the one in the id of the bars; else `SIM`, which imports
    without a venue carry.

    Raises `WrongInput` when instrument and bars disagree.
    """
    if definition is None:
        source: VenueSource = "default" if series.venue == DEFAULT_VENUE else "bars"
        return VenueDetected(venue=series.venue, source=source, instrument_id=series.instrument_id)
    instrument_id = str(definition["id"])
    venue = instrument_id.rpartition(".")[2]
    if venue != series.venue:
        raise WrongInput(
            f"the bars of {series.instrument_id} belong to another venue than the instrument",
            f"the bars say {series.venue}, the instrument {instrument_id} says {venue}",
            "fetch the bars again under the instrument's id",
        )
    return VenueDetected(
        venue=venue,
        source="instrument",
        instrument_id=instrument_id,
        made_up=is_made_up(definition),
    )


def is_made_up(definition: Mapping[str, object]) -> bool:
    """Whether no broker told the instrument: an import made it of what its files say."""
    info = definition.get("info")
    return isinstance(info, Mapping) and bool(info.get("made_up"))
