"""The instruments of a run as Nautilus' objects, with the bars they are traded on. For worker
processes only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from nautilus_trader import model

from catalog.errors import WrongInput
from core.backtest.accounting import Marks
from core.backtest.currencies import SYNTHETIC_CURRENCY
from core.backtest.data import InstrumentData
from core.backtest.feed import InstrumentFeed, load
from core.backtest.settling import Holding
from core.backtest.task import Task


@dataclass(frozen=True, slots=True, eq=False)
class Traded:
    """One instrument of the run: what was given, its bars, and Nautilus' instrument."""

    data: InstrumentData
    feed: InstrumentFeed
    instrument: Any
    warnings: tuple[str, ...]

    @property
    def venue(self) -> str:
        """The name of the venue it trades on."""
        return str(self.instrument.id.venue)

    @property
    def currency(self) -> str:
        """The code of the currency it is quoted in."""
        return str(self.instrument.quote_currency.code)

    def holding(self, start: int, end: int) -> Holding:
        """What its positions are valued by from the start of the run (ns, without its warm-up) to
        the stamp `end`."""
        ts, close = self.feed.seen.between(start, end)
        marks = Marks(self.data.instrument_id, ts, close, float(self.instrument.multiplier))
        return Holding(self.data, marks, self.warnings, self.currency)


def traded(data: InstrumentData, task: Task) -> Traded:
    """Find the bars of an instrument and make it Nautilus'.

    Raises `DataUnavailable` and `WrongInput` when the bars cannot be used with it.
    """
    feed = load(data, task.data.fed)
    instrument = _synthetic(data.instrument_id, feed) if data.definition is None else _stored(data)
    for stream in feed.streams:
        theirs = stream.price_precision, stream.size_precision
        ours = instrument.price_precision, instrument.size_precision
        if theirs != ours:
            raise WrongInput(
                f"the bars of {stream.series} do not fit their instrument",
                f"prices have {theirs[0]} decimals and volumes {theirs[1]}, the instrument's "
                f"{ours[0]} and {ours[1]}: Nautilus would reject every order",
                "fetch the series again",
            )
    start, end = task.data.interval
    if not len(feed.seen.between(start, end)[0]):
        raise WrongInput(
            f"there are bars of {feed.seen.series} in the warm-up alone",
            "none is in the range itself",
            "choose another range",
        )
    if task.spec.leverage:
        instrument = _on_full_margin(instrument)
    warnings = (*feed.warnings, *_about_warm_up(feed, task))
    return Traded(data, feed, instrument, warnings)


def _about_warm_up(feed: InstrumentFeed, task: Task) -> Iterator[str]:
    held = len(feed.seen.between(task.data.fed[0], task.data.interval[0])[0])
    if held < task.spec.warm_up:
        yield (
            f"{feed.seen.series}: {held:,} bars before the start, not {task.spec.warm_up:,}: "
            "indicators may begin late"
        )


def _stored(data: InstrumentData) -> Any:
    assert data.definition is not None
    return getattr(model, str(data.definition["type"])).from_dict(data.definition)


def _on_full_margin(instrument: Any) -> Any:
    """The instrument with a margin of its whole value, which a leverage then divides: stored ones
    have none, as the broker does not tell it."""
    fields = {**instrument.to_dict(), "margin_init": "1", "margin_maint": "1"}
    return type(instrument).from_dict(fields)


def _synthetic(instrument_id: str, feed: InstrumentFeed) -> Any:
    precision = feed.seen.price_precision
    return model.Equity(
        model.InstrumentId.from_str(instrument_id),
        model.Symbol(instrument_id.rpartition(".")[0]),
        model.Currency.from_str(SYNTHETIC_CURRENCY),
        precision,
        model.Price.from_decimal_dp(Decimal(1).scaleb(-precision), precision),
        0,
        0,
    )
