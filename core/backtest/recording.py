"""Reads the indicators of strategies while they run, bar by bar.

Those that Nautilus feeds because the strategy registered them, and those that the strategy feeds
itself and keeps as its attributes. For worker processes only.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from nautilus_trader.indicators import SimpleMovingAverage
from nautilus_trader.model import BarType

from core.backtest.indicators import IndicatorLine

MOST_READINGS = 20_000
"""How often the indicators of a run are read; of longer runs, at every second bar, third bar...
It is many times what a chart has columns, and takes some 7 ms of a run."""
_OUTPUTS: Mapping[str, tuple[str, ...]] = {
    "BollingerBands": ("upper", "middle", "lower"),
    "DonchianChannel": ("upper", "middle", "lower"),
    "KeltnerChannel": ("upper", "middle", "lower"),
    "IchimokuCloud": ("tenkan_sen", "kijun_sen", "senkou_span_a", "senkou_span_b"),
    "DirectionalMovement": ("pos", "neg"),
    "Stochastics": ("value_k", "value_d"),
}
"""What is read of indicators that say more, or other, than a `value`."""
_ON_PRICE = frozenset(
    (
        "BollingerBands",
        "DonchianChannel",
        "KeltnerChannel",
        "IchimokuCloud",
        "LinearRegression",
        "VariableIndexDynamicAverage",
        "VolumeWeightedAveragePrice",
    )
)
"""Those that are prices, beside all moving averages."""
_FEWEST_INITIALS = 3
_NUMBERS = re.compile(r"[\d.]+(?:, ?[\d.]+)*")


type _Handler = Callable[..., Any]


class Recorder:
    """What the indicators of one strategy say after every bar, or every so many."""

    def __init__(self, every: int) -> None:
        self.every = every
        self._bar_types: dict[int, Any] = {}
        self._outputs: list[_Output] | None = None
        self._begun = False
        self._values_now: Callable[[], Iterable[float]] = tuple
        self._stamps = array("q")
        self._values = array("d")

    def registering(self, register: _Handler) -> _Handler:
        """How the strategy has indicators fed, taken note of."""

        def note(strategy: Any, bar_type: Any, indicator: Any) -> Any:
            self._bar_types[id(indicator)] = bar_type
            return register(strategy, bar_type, indicator)

        return note

    def read(self, strategy: Any, bar: Any) -> None:
        """Take down what they say now."""
        if self._outputs is None:
            self._outputs = [*self._find(strategy, bar.bar_type)]
            self._values_now = _reader(self._outputs)
        if not self._outputs:
            return
        self._stamps.append(bar.ts_init)
        if self._begun:
            self._values.extend(self._values_now())
            return
        self._values.extend(one.value if one.begun else math.nan for one in self._outputs)
        self._begun = all(one.begun for one in self._outputs)

    def lines(self) -> list[IndicatorLine]:
        """What was read."""
        outputs, ts = self._outputs or [], np.array(self._stamps)
        values = np.array(self._values).reshape(len(ts), len(outputs))
        return [
            IndicatorLine(
                one.instrument_id,
                one.name,
                one.attribute.removeprefix("value").removeprefix("_"),
                one.on_price,
                self.every,
                ts,
                values[:, column],
            )
            for column, one in enumerate(outputs)
        ]

    def _find(self, strategy: Any, own: BarType) -> Iterator[_Output]:
        for indicator in _indicators_of(strategy):
            kind = type(indicator).__name__
            bar_type = self._bar_types.get(id(indicator), own)
            label = _label(indicator)
            if bar_type.spec != own.spec:
                label += f" {bar_type.spec}"
            for output in _OUTPUTS.get(kind, ("value",)):
                if isinstance(getattr(indicator, output, None), float):
                    yield _Output(
                        indicator,
                        output,
                        str(bar_type.instrument_id),
                        label,
                        kind in _ON_PRICE or kind.endswith("MovingAverage"),
                    )


@dataclass(frozen=True, slots=True)
class _Output:
    """A number that an indicator says."""

    indicator: Any
    attribute: str
    instrument_id: str
    name: str
    on_price: bool

    @property
    def begun(self) -> bool:
        return bool(self.indicator.initialized)

    @property
    def value(self) -> float:
        return float(getattr(self.indicator, self.attribute))


def _reader(outputs: Sequence[_Output]) -> Callable[[], Iterable[float]]:
    """Reads them all at once: this runs at every bar."""
    held = SimpleNamespace(**{f"i{at}": one.indicator for at, one in enumerate(outputs)})
    paths = [f"i{at}.{one.attribute}" for at, one in enumerate(outputs)]
    if len(paths) == 1:
        return lambda: (outputs[0].value,)
    read = attrgetter(*paths) if paths else lambda _held: ()
    return lambda: cast(tuple[float, ...], read(held))


def _indicators_of(strategy: Any) -> list[Any]:
    """Those it registered, and those among its attributes or in a list or dict of them."""
    found = {id(one): one for one in strategy.registered_indicators if _is_indicator(one)}
    for value in vars(strategy).values():
        several = value.values() if isinstance(value, dict) else value
        for one in several if isinstance(value, list | tuple | dict) else (value,):
            if _is_indicator(one):
                found[id(one)] = one
    return list(found.values())


def _is_indicator(value: object) -> bool:
    return type(value).__module__ == SimpleMovingAverage.__module__ and hasattr(
        value, "initialized"
    )


def _label(indicator: Any) -> str:
    """`SMA(10)` of a `SimpleMovingAverage(10)`; names of two words stay."""
    name = type(indicator).__name__
    initials = "".join(letter for letter in name if letter.isupper())
    numbers = _NUMBERS.match(repr(indicator).rpartition("(")[2])
    short = initials if len(initials) >= _FEWEST_INITIALS else name
    return f"{short}({numbers[0]})" if numbers else short
