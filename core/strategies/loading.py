"""Strategies as classes: found by name, described, and made ready to trade.

A name is that of a shipped strategy, or `module:Class` of a module that can be imported or lies
in a folder of the user's. Imports Nautilus and the user's code: for worker processes only.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

from nautilus_trader.model import BarType, InstrumentId
from nautilus_trader.trading import Strategy

from catalog.errors import DataUnavailable, QuarterdeckError, WrongInput
from catalog.series import BarSpec, Series
from core.strategies.causes import causes
from core.strategies.configs import StrategyParameters
from core.strategies.describing import Field, constructor_of, fields_of, summary_of
from core.strategies.parameters import StrategyInfo
from core.strategies.positioning import Leg, Mandate, Mandated
from core.strategies.shipped import STRATEGIES, parameters_in


@dataclass(frozen=True, slots=True)
class Market:
    """An instrument of a run as strategies get it: Nautilus' objects and a share of the cash."""

    instrument: Any
    bar_type: BarType
    cash: Decimal


@dataclass(frozen=True, slots=True)
class Loaded:
    """A strategy class and what it is configured by: a class of ours, any other, or nothing."""

    name: str
    kind: type[Strategy]
    configuration: type | None

    @property
    def fields(self) -> list[Field]:
        """What its configuration is made of."""
        return [] if self.configuration is None else fields_of(self.configuration)

    @property
    def instruments(self) -> int | None:
        """How many instruments one instance trades, None for any number."""
        if self.configuration and issubclass(self.configuration, StrategyParameters):
            return self.configuration.instruments
        single = [each.of_market for each in self.fields if each.element_hint is None]
        # `instrument_id, fast_bars, slow_bars` are two bar types of one instrument.
        return single.count("instrument") or single.count("bar type") or None

    def info(self, file: Path | None) -> StrategyInfo:
        """What a person reads of it."""
        kind, configuration = self.kind, self.configuration
        if configuration and issubclass(configuration, StrategyParameters):
            parameters = parameters_in(configuration)
        else:
            found = (each.parameter() for each in self.fields if each.name not in _OF_NAUTILUS)
            parameters = tuple(one for one in found if one is not None)
        summary = summary_of(kind, configuration)
        return StrategyInfo(self.name, summary, parameters, self.instruments, file)

    def instances(
        self, given: Mapping[str, object], markets: Sequence[Market], make: Callable[[int], Any]
    ) -> list[Strategy]:
        """Instances for all markets, as many as it takes; `make(number)` gives the class of each.

        Raises `WrongInput` when the number of markets does not go into instances, or the strategy
        refuses its configuration.
        """
        each = self.instruments or len(markets)
        if len(markets) % each:
            raise WrongInput(
                f"{self.name} trades {each} instruments together",
                f"{len(markets)} were named",
                f"name {each} instruments, or a multiple",
            )
        groups = [markets[first : first + each] for first in range(0, len(markets), each)]
        return [
            self._instance(make(number), given, group, f"{number:03}")
            for number, group in enumerate(groups, 1)
        ]

    def _instance(
        self, kind: Any, given: Mapping[str, object], markets: Sequence[Market], tag: str
    ) -> Strategy:
        try:
            if self.configuration is None:
                return typing.cast(Strategy, kind())
            if issubclass(self.configuration, StrategyParameters):
                parameters = self.configuration(**typing.cast(dict[str, Any], given))
                return typing.cast(Strategy, kind(_mandate(parameters, markets, tag)))
            values = self._values(given, markets)
            if self.configuration is self.kind:
                return typing.cast(Strategy, kind(*values.values()))
            return typing.cast(Strategy, kind(self.configuration(**values)))
        except QuarterdeckError:
            raise
        except (Exception, SystemExit) as error:
            raise WrongInput(
                f"{self.name} cannot be set up like this",
                causes(error),
                "correct the parameters or the strategy",
            ) from error

    def _values(self, given: Mapping[str, object], markets: Sequence[Market]) -> dict[str, Any]:
        """The arguments of the configuration: what is given, and the markets of the run."""
        values: dict[str, Any] = {}
        singles = {"instrument": 0, "bar type": 0}
        for each in self.fields:
            market = each.of_market
            if market and each.element_hint is not None:
                found = [_of_market(market, one) for one in markets]
                values[each.name] = typing.get_origin(each.plain_hint)(found)
            elif market:
                mine = markets[min(singles[market], len(markets) - 1)]
                singles[market] += 1
                values[each.name] = _of_market(market, mine)
                if given.get(each.name) is not None:
                    values[each.name] = _chosen(each.name, market, str(given[each.name]), mine)
            elif each.name in given:
                values[each.name] = _typed(each.plain_hint, given[each.name])
            elif each.required and each.type is None:
                raise WrongInput(
                    f"{self.name} needs {each.name}",
                    "its type is nothing that could be typed, and it has no default",
                    "give it a default in the strategy",
                )
        return values


_OF_NAUTILUS = frozenset(("strategy_id", "order_id_tag", "oms_type"))


def load(name: str, folders: Sequence[Path] = ()) -> Loaded:
    """Find a strategy by its full name.

    Raises `WrongInput` when there is none, `DataUnavailable` when its module cannot be imported.
    """
    if name in STRATEGIES:
        shipped = STRATEGIES[name]
        kind = getattr(importlib.import_module(shipped.module), shipped.class_name)
        return Loaded(name, kind, shipped.parameters)
    module_name, _, class_name = name.partition(":")
    found = _strategies_of(imported(module_name, folders))
    if class_name not in found:
        raise WrongInput(
            f"{module_name} has no strategy '{class_name}'",
            f"its strategies are {', '.join(found) or 'none'}",
            "correct the name",
        )
    return Loaded(name, found[class_name], configuration_of(found[class_name]))


def describe_module(module_name: str, folders: Sequence[Path]) -> tuple[StrategyInfo, ...]:
    """All strategies a module defines. Raises `DataUnavailable` when it cannot be imported, or one
    of them not be described."""
    module = imported(module_name, folders)
    file = Path(module.__file__) if module.__file__ else None
    try:
        return tuple(
            Loaded(f"{module_name}:{name}", kind, configuration_of(kind)).info(file)
            for name, kind in _strategies_of(module).items()
        )
    except Exception as error:
        raise DataUnavailable(
            f"the strategies of {module_name} cannot be described",
            causes(error),
            "correct the file",
        ) from error


def check(
    name: str,
    given: Mapping[str, object],
    folders: Sequence[Path],
    markets: int,
    bars: BarSpec,
) -> None:
    """Configure the strategy for so many made-up markets with such bars. Raises `WrongInput` as
    `instances`."""
    from nautilus_trader.model import Currency, Equity, Price, Symbol

    made_up = []
    for number in range(1, markets + 1):
        instrument_id = InstrumentId.from_str(f"MARKET{number}.SIM")
        usd, tick = Currency.from_str("USD"), Price.from_str("0.01")
        instrument = Equity(instrument_id, Symbol(f"MARKET{number}"), usd, 2, tick, 0, 0)
        bar_type = BarType.from_str(Series(str(instrument_id), bars).bar_type)
        made_up.append(Market(instrument, bar_type, Decimal(100_000)))
    loaded = load(name, folders)
    loaded.instances(given, made_up, lambda _: loaded.kind)


def configuration_of(kind: type[Strategy]) -> type | None:
    """What a strategy is configured by: the parameters of ours that its mandate names; the type of
    its constructor's one argument; that argument itself, then it is the strategy; or nothing. (Of
    more than one argument Nautilus makes no strategy.)
    """
    if issubclass(kind, Mandated):
        bases = (base for each in kind.__mro__ for base in getattr(each, "__orig_bases__", ()))
        named = (argument for base in bases for argument in typing.get_args(base))
        return next((one for one in named if _is_ours(one)), StrategyParameters)
    constructor = constructor_of(kind)
    if constructor is None:
        return None
    arguments = list(inspect.signature(constructor).parameters)[1:]
    field = next((each for each in fields_of(kind) if each.name in arguments[:1]), None)
    if field is not None and (field.type or field.of_market):
        return kind
    named_so = getattr(sys.modules[kind.__module__], f"{kind.__name__}Config", None)
    hint = field.plain_hint if field else named_so if arguments else None
    return hint if isinstance(hint, type) else None


def _is_ours(argument: object) -> bool:
    return isinstance(argument, type) and issubclass(argument, StrategyParameters)


def _strategies_of(module: Any) -> dict[str, type[Strategy]]:
    return {
        name: kind
        for name, kind in vars(module).items()
        if isinstance(kind, type)
        and issubclass(kind, Strategy)
        and kind.__module__ == module.__name__
        and not name.startswith("_")
    }


def imported(module_name: str, folders: Sequence[Path]) -> Any:
    """A module of the user's. Raises `WrongInput` when there is none of that name or the name is
    taken, `DataUnavailable` when it cannot be imported."""
    _refuse_taken_name(module_name, folders)
    sys.path.extend(str(folder) for folder in folders if str(folder) not in sys.path)
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name:
            raise _cannot_beimported(module_name, error) from error
        places = ", ".join(str(folder) for folder in folders) or "no folder of strategies is set"
        raise WrongInput(
            f"there is no module '{module_name}'",
            f"it is neither installed nor in the strategy folders: {places}",
            "correct the name, or add its folder to strategy_folders in the settings",
        ) from error
    except (Exception, SystemExit) as error:
        raise _cannot_beimported(module_name, error) from error


def _cannot_beimported(module_name: str, error: BaseException) -> DataUnavailable:
    return DataUnavailable(f"{module_name} cannot be imported", causes(error), "correct the file")


def _refuse_taken_name(module_name: str, folders: Sequence[Path]) -> None:
    """Folders of strategies come last where modules are looked for: a file with the name of
    another module would never be found."""
    root = module_name.partition(".")[0]
    mine = next((file for one in folders if (file := one / f"{root}.py").exists()), None)
    if mine is None:
        return
    other = importlib.util.find_spec(root)
    if other is not None and other.origin != str(mine):
        raise WrongInput(
            f"{mine} cannot be used as '{root}'",
            f"a module of this name is there already: {other.origin}",
            "give the file another name",
        )


def _mandate(parameters: Any, markets: Sequence[Market], tag: str) -> Mandate[Any]:
    first, *others = markets
    return Mandate(
        parameters,
        first.instrument,
        first.bar_type,
        sum((each.cash for each in markets), Decimal(0)),
        tag,
        tuple(Leg(each.instrument, each.bar_type) for each in others),
    )


def _of_market(kind: str, market: Market) -> Any:
    return market.instrument.id if kind == "instrument" else market.bar_type


def _chosen(name: str, kind: str, text: str, market: Market) -> Any:
    """An instrument id or bar type that was typed in place of the run's own.

    `5-MINUTE-LAST` is made of the run's bars by Nautilus; `1-DAY-LAST-EXTERNAL` is stored.
    """
    own = str(market.bar_type)
    try:
        if kind == "instrument":
            return InstrumentId.from_str(text)
        if "." in text:
            return BarType.from_str(text)
        if text.endswith("-EXTERNAL"):
            return BarType.from_str(f"{market.instrument.id}-{text}")
        base = Series.from_bar_type(own).spec
        wanted = BarSpec.parse(text)
        if wanted.nanos < base.nanos or (wanted.intraday and wanted.nanos % base.nanos):
            raise WrongInput(
                f"{name}={text} cannot be made of {base} bars",
                "made bars are a multiple of those of the run",
                f"run on shorter bars, or name stored ones: {name}={text}-EXTERNAL",
            )
        made_of = f"{base.step}-{base.unit}-EXTERNAL"
        return BarType.from_str(f"{market.instrument.id}-{wanted}-INTERNAL@{made_of}")
    except ValueError as error:
        raise WrongInput(
            f"'{text}' does not fit {name}", str(error), f"for example {own}"
        ) from error


def _typed(hint: Any, value: object) -> Any:
    """A value that was read, as the configuration wants it."""
    if value is None:
        return None
    if typing.get_origin(hint) is typing.Literal:
        return next(one for one in typing.get_args(hint) if str(one) == value)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint[str(value)]
    if callable(getattr(hint, "variants", None)):
        return hint.from_str(str(value))
    return value
