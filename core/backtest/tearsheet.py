"""Nautilus' tearsheet of a run, with our figures in it. For worker processes only."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from catalog.errors import WrongInput
from core.backtest.metrics import Metrics, Performance
from core.backtest.periods import Closes, returns
from core.backtest.results import StoredRun

_RATIOS = {
    "total_return": "Total return",
    "cagr": "CAGR",
    "volatility": "Volatility, a year",
    "sharpe": "Sharpe ratio",
    "sortino": "Sortino ratio",
    "max_drawdown": "Max drawdown",
    "calmar": "Calmar ratio",
}
_TRADES = {
    "trades": "Trades",
    "win_rate": "Win rate",
    "profit_factor": "Profit factor",
    "exposure": "Exposure",
    "turnover": "Turnover",
    "rejected": "Rejected orders",
}
_MONEY = {
    "fees": "Fees",
    "slippage": "Slippage",
    "expectancy": "Average trade",
    "best_trade": "Best trade",
    "worst_trade": "Worst trade",
}


def write_tearsheet(run: StoredRun, path: Path) -> None:
    """Write the report as one HTML file that needs no network.

    Raises `WrongInput` when what draws it is not installed.
    """
    try:
        pd = import_module("pandas")
        import_module("plotly")
    except ImportError as error:
        raise WrongInput(
            "the HTML report is not installed",
            f"it is drawn by plotly and pandas, and there is no {error.name}",
            "install them: uv pip install 'quarterdeck[report]'",
            "or export --format json or csv",
        ) from error
    from nautilus_trader.analysis import create_tearsheet_from_stats

    metrics = run.metrics
    closes = Closes.of(metrics.start_equity, run.equity)
    days = pd.to_datetime(closes.date, unit="D", utc=True)

    def series(values: Any) -> Any:
        daily = returns(values) if metrics.days_a_year and len(values) else np.empty(0)
        return pd.Series(daily, days[: len(daily)], dtype=float)

    currency = run.spec.starting_cash().currency
    create_tearsheet_from_stats(
        stats_pnls={currency: _named(metrics, _MONEY)},
        stats_returns=_named(metrics, _RATIOS) | _of_benchmark(metrics.benchmark),
        stats_general=_named(metrics, _TRADES),
        returns=series(closes.value),
        benchmark_returns=series(closes.benchmark) if len(closes.benchmark) else None,
        benchmark_name=f"{run.result.venues[0].instrument_id} held",
        run_info=_about(run),
        account_info={
            f"Start ({currency})": f"{metrics.start_equity:,.2f}",
            f"End ({currency})": f"{metrics.end_equity:,.2f}",
        },
        title=_title(run),
        output_path=str(path),
    )


def _named(figures: Metrics | Performance, names: dict[str, str]) -> dict[str, Any]:
    values = {label: getattr(figures, name) for name, label in names.items()}
    return {label: "n/a" if value is None else value for label, value in values.items()}


def _of_benchmark(benchmark: Performance | None) -> dict[str, Any]:
    figures = _named(benchmark, _RATIOS) if benchmark else {}
    return {f"Benchmark: {label}": value for label, value in figures.items()}


def _about(run: StoredRun) -> dict[str, str]:
    spec = run.spec
    return {
        "Run": run.run_id,
        "Strategy": spec.strategy,
        **{name: str(value) for name, value in run.parameters.items()},
        "Instruments": ", ".join(spec.instruments),
        "Bars": f"{spec.bars}, {run.metrics.bars:,} of them",
        "From": _time(run.equity.ts[0]),
        "To": _time(run.equity.ts[-1]),
        "Fees": spec.fees,
        "Data": "SIMULATED" if run.simulated else "real",
        "Warnings": "<br>".join(run.result.warnings) or "none",
    }


def _title(run: StoredRun) -> str:
    marks = [
        word
        for word, told in (
            ("SIMULATED data", run.simulated),
            ("synthetic instrument", run.synthetic),
        )
        if told
    ]
    words = [f"{run.spec.strategy} on {', '.join(run.spec.instruments)}", *marks]
    return f"<b>{' | '.join(words)}</b><br><sub>{run.run_id}</sub>"


def _time(stamp: int) -> str:
    return f"{datetime.fromtimestamp(int(stamp) // 10**9, UTC):%Y-%m-%d %H:%M} UTC"
