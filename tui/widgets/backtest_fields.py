"""The fields of the form of a new run: what they begin as, how they are read, what is said of
them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, get_args

from textual.suggester import Suggester

from core.backtest.fees import FEES, fee_rule
from core.backtest.spec import (
    MOST_LEVERAGE,
    MOST_WARM_UP,
    USUAL_CASH,
    Account,
    PositionKeeping,
    RunHours,
    RunSpec,
    Source,
)
from core.strategies.parameters import IN_WORDS, Parameter
from tui.widgets.form import FormField, LastWord
from tui.widgets.form_reading import BARS, DATES, read_bars, read_ids, read_time

NUMBERS = {
    "warm_up": Parameter("warm_up", "int", 0, at_least=0, at_most=MOST_WARM_UP),
    "leverage": Parameter("leverage", "float", 0.0, at_least=0, at_most=MOST_LEVERAGE),
    "slippage": Parameter("slippage", "float", 0.0, at_least=0, at_most=1),
    "seed": Parameter("seed", "int", 0, at_least=0),
}
READERS: dict[str, Callable[[str], object]] = {
    "ids": read_ids,
    "bars": read_bars,
    "start": read_time,
    "end": read_time,
    "cash": lambda text: text and RunSpec("", cash=text).all_cash(),
    "fees": fee_rule,
    **{name: number.read for name, number in NUMBERS.items()},
}
DOCS = {
    "start": "a date, or 2024-01, -30d, ytd",
    "end": "a date, or 2024-01, today",
    "hours": "those of the stored bars, or regular ones out of bars of all hours",
    "cash": "such as 60000 USD, 40000 EUR; left empty 100000 of the instrument's currency",
    "fees": "ibkr_fixed, zero, per_contract:1.20, or module:Class of a fee model of yours",
    "warm_up": "bars before the start that feed indicators; none is traded on",
    "leverage": "orders beyond it are denied; 0 denies none",
    "slippage": "the chance that a market order fills a tick worse",
    "seed": "what chance is drawn with",
    "account": "auto is a margin account",
    "oms": "netting: one position an instrument; hedging: several",
    "source": "auto fetches what is missing first; catalog never asks the broker",
}
_OF_RUN = ("instrument", "bar type")
"""Types of parameters that the run itself fills in where nothing is typed."""


def run_fields(ids: Suggester) -> Iterator[FormField]:
    """What a run is on, when, and on which terms."""
    usual, dates = RunSpec(""), LastWord(DATES)
    yield FormField("ids", "ids", placeholder="e.g. AAPL", suggester=ids)
    yield FormField("bars", "bars", BARS[0], suggester=LastWord(BARS))
    yield FormField("start", "from", placeholder="e.g. 2024-01", suggester=dates)
    yield FormField("end", "to", placeholder="e.g. today", suggester=dates)
    yield FormField("cash", "cash", placeholder=f"({USUAL_CASH})")
    yield FormField("fees", "fees", usual.fees, suggester=LastWord(FEES))
    yield FormField("source", "source", usual.source, choices=_words(Source))
    yield FormField("hours", "hours", usual.hours, choices=_words(RunHours))
    yield FormField("warm_up", "warm-up", str(usual.warm_up))
    yield FormField("account", "account", usual.account, choices=_words(Account))
    yield FormField("oms", "oms", usual.oms, choices=_words(PositionKeeping))
    yield FormField("leverage", "leverage", str(usual.leverage))
    yield FormField("slippage", "slippage", str(usual.slippage))
    yield FormField("seed", "seed", str(usual.seed))


def parameter_field(parameter: Parameter, typed: str | None) -> FormField:
    """A parameter of a strategy with what was typed before, else its default."""
    return FormField(
        parameter.name,
        parameter.name,
        _usual(parameter) if typed is None else typed,
        placeholder=_placeholder(parameter),
        choices=("true", "false") if parameter.type == "bool" else parameter.choices,
    )


def doc_of(parameter: Parameter) -> str:
    """What is said of a parameter; empty when nothing is."""
    return parameter.doc or (IN_WORDS[parameter.type] if parameter.type in _OF_RUN else "")


def _words(literal: Any) -> tuple[str, ...]:
    return get_args(literal.__value__)


def _usual(parameter: Parameter) -> str:
    if parameter.type == "bool":
        return str(bool(parameter.default)).lower()
    return "" if parameter.default is None else str(parameter.default)


def _placeholder(parameter: Parameter) -> str:
    if parameter.default is not None:
        return f"({parameter.default})"
    if parameter.type in _OF_RUN:
        return "(run's)"
    return "(needed)" if parameter.required else "(none)"
