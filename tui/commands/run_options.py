"""What a run is told on the command line, the same for one run and for a sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from catalog.errors import WrongInput
from catalog.series import BarSpec

if TYPE_CHECKING:
    from core.backtest.spec import RunSpec

Strategy = Annotated[str, typer.Argument(help="Such as sma_crossover.")]
Instruments = Annotated[
    list[str] | None, typer.Option(help="An instrument; may be given again.", show_default=False)
]
Bars = Annotated[str, typer.Option(help="The bar type, such as 1-MINUTE-LAST.")]
Start = Annotated[str, typer.Option(help="A date of the exchange, or a time (UTC if no zone).")]
End = Annotated[str, typer.Option(help="As --start.")]
Params = Annotated[
    list[str] | None, typer.Option(help="A parameter as name=value; may be given again.")
]
Cash = Annotated[
    str,
    typer.Option(
        help="The starting cash, such as '100000 USD' or '60000 USD, 40000 EUR'; without it, "
        "100000 of the first instrument's currency."
    ),
]
Fees = Annotated[
    str,
    typer.Option(
        help="ibkr_fixed, zero, per_contract, per_contract:AMOUNT, or module:Class; without it, "
        "what the settings say."
    ),
]
Source = Annotated[
    Literal["auto", "catalog"],
    typer.Option(help="auto fetches what is missing first; catalog never asks the broker."),
]
Hours = Annotated[
    Literal["stored", "regular", "all"],
    typer.Option(
        help="Trading hours: those of the stored bars, or regular ones out of bars of all hours."
    ),
]
WarmUp = Annotated[
    int, typer.Option(help="Bars before the start that feed indicators; none is traded on.")
]
Account = Annotated[Literal["auto", "margin", "cash"], typer.Option(help="The kind of account.")]
Oms = Annotated[
    Literal["netting", "hedging"], typer.Option(help="One position an instrument, or several.")
]
Leverage = Annotated[float, typer.Option(help="Orders beyond it are denied; 0 denies none.")]
Slippage = Annotated[float, typer.Option(help="The chance that a market order fills a tick worse.")]
Seed = Annotated[int, typer.Option(help="What chance is drawn with.")]


def parameters_of(pairs: list[str] | None) -> dict[str, object]:
    """The parameters given as `name=value`. Raises `WrongInput` for anything else."""
    parameters: dict[str, object] = {}
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise WrongInput(
                f"--param cannot be '{pair}'",
                "a parameter is a name, an equals sign and a value",
                "write for example --param fast_period=10",
            )
        parameters[name] = value
    return parameters


def spec_of(
    strategy: str,
    instrument: list[str] | None,
    bars: str,
    start: str,
    end: str,
    param: list[str] | None,
    cash: str,
    fees: str,
    source: Literal["auto", "catalog"],
    hours: Literal["stored", "regular", "all"],
    warm_up: int,
    account: Literal["auto", "margin", "cash"],
    oms: Literal["netting", "hedging"],
    leverage: float,
    slippage: float,
    seed: int,
) -> RunSpec:
    """The run that the options tell. Raises `WrongInput` for bars or parameters that are none."""
    from core.backtest.spec import RunSpec

    return RunSpec(
        strategy=strategy,
        parameters=parameters_of(param),
        instruments=tuple(instrument or ()),
        bars=BarSpec.parse(bars) if bars else RunSpec("").bars,
        start=start,
        end=end,
        cash=cash,
        fees=fees,
        source=source,
        hours=hours,
        warm_up=warm_up,
        account=account,
        oms=oms,
        leverage=leverage,
        slippage=slippage,
        seed=seed,
    )
