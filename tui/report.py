"""Results of backtests on the command line: figures, text charts, and the list of runs."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import batched, chain, groupby, zip_longest
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from catalog.wording import counted
from core.backtest.analysis import analyse
from tui.charts import equity_chart
from tui.output import Output, in_words
from tui.ticks import moment
from tui.widgets.backtest_spec import command_of
from tui.widgets.result_figures import NOT_AVAILABLE, count, money, percent, ratio, span, tenths

if TYPE_CHECKING:
    from core.backtest.analysis import Analysis, Share
    from core.backtest.metrics import Metrics
    from core.backtest.periods import Period
    from core.backtest.results import RunSummary, StoredRun

_CHART_HEIGHT = 16
_WIDEST = 120
_WIDTH_OF_THREE = 110
"""The cells of a line from which on figures stand in three blocks."""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

type Say = Callable[[Any], str]


def plain_percent(fraction: float | None) -> str:
    """A fraction that has no sign, in percent."""
    return percent(fraction, signed=False)


def fallen(depth: float | None) -> str:
    """A drawdown as the loss it is: 0.15 is `-15.00 %`."""
    return percent(None if depth is None else -depth)


def amount(value: float | None) -> str:
    """An amount of money whose sign says nothing new: `1,234.50`."""
    return NOT_AVAILABLE if value is None else f"{value:,.2f}"


def lost(value: float | None) -> str:
    """A loss that is kept above 0."""
    return money(None if value is None else -value)


CURVE: Mapping[str, tuple[str, Say]] = MappingProxyType(
    {
        "total_return": ("return", percent),
        "cagr": ("CAGR", percent),
        "volatility": ("volatility", plain_percent),
        "sharpe": ("Sharpe", ratio),
        "sortino": ("Sortino", ratio),
        "max_drawdown": ("max DD", fallen),
        "calmar": ("Calmar", ratio),
    }
)
"""Figures that the benchmark has too: their labels, and how they are told."""
OTHERS: Mapping[str, tuple[str, Say]] = MappingProxyType(
    {
        "end_equity": ("end", amount),
        "exposure": ("exposure", plain_percent),
        "leverage": ("leverage", ratio),
        "turnover": ("turnover", ratio),
        "longest_flat": ("longest flat", span),
        "longest_drawdown": ("longest DD", span),
        "trades": ("trades", count),
        "open_trades": ("open", count),
        "win_rate": ("win", plain_percent),
        "profit_factor": ("PF", ratio),
        "expectancy": ("average trade", money),
        "average_gain": ("average gain", percent),
        "average_win": ("average win", money),
        "average_loss": ("average loss", lost),
        "best_trade": ("best", money),
        "worst_trade": ("worst", money),
        "average_holding": ("held on average", span),
        "fees": ("fees", amount),
        "fees_share": ("fees of gross", plain_percent),
        "slippage": ("slippage", amount),
        "slippage_share": ("slippage of gross", plain_percent),
        "rejected": ("rejected", count),
        "bars": ("bars", count),
        "days": ("days", count),
    }
)
"""The figures of the run alone."""
FIGURES = MappingProxyType({**CURVE, **OTHERS})
_BENCHMARK = MappingProxyType({"benchmark_return": ("held", percent)})


def told_by(name: str) -> tuple[str, Say]:
    """What any metric is called, and how it is told."""
    return (FIGURES | _BENCHMARK).get(name, (name.replace("_", " "), ratio))


def print_run(run: StoredRun, output: Output, *, told: bool = False) -> None:
    """The result of a run: what it was, warnings, figures, equity with drawdown; of one that failed
    why, and the command to begin from. With `told` its warnings and notes were just printed, as it
    ran."""
    output.line()
    output.line(f"{run.run_id}  {title(run)}  {_marks(run)}".rstrip())
    if run.result.metrics is None:
        _print_failure(run, output)
        return
    result, metrics, analysis = run.result, run.metrics, analyse(run)
    for venue in result.venues:
        output.line(f"venue {venue}")
    if run.simulated:
        output.line("SIMULATED data: these figures say nothing about a real market")
    if result.state == "partial":
        output.line("PARTIAL: the run was cancelled, these are the figures until then")
    for text in () if told else (*result.warnings, *result.notes):
        output.line(f"note: {text}")
    if run.remarks.note:
        output.line(f"your note: {run.remarks.note}")
    _print_figures(run, metrics, output)
    _print_analysis(analysis, metrics.open_trades, output)
    output.line(_chart(run))
    output.summary(
        **record_of(run),
        venues=[
            {"instrument_id": one.instrument_id, "venue": one.venue, "source": one.source}
            for one in result.venues
        ],
        warnings=result.warnings,
        notes=result.notes,
        fingerprint=None if result.fingerprint is None else asdict(result.fingerprint),
        trades=len(run.trades),
        fills=len(run.fills),
        months=[asdict(one) for one in analysis.months],
        years=[asdict(one) for one in analysis.years],
        drawdowns=[asdict(one) for one in analysis.drawdowns],
        by_instrument=[asdict(one) for one in analysis.by_instrument],
        by_side=[asdict(one) for one in analysis.by_side],
    )


def _print_failure(run: RunSummary, output: Output) -> None:
    if run.remarks.note:
        output.line(f"your note: {run.remarks.note}")
    output.line("\n".join(["", *in_words(run.result.failure, "failed")]))
    output.line(f"\nthe command that does it: {command_of(run.spec)}")
    output.summary(**record_of(run), error=run.result.error)


def print_runs(runs: Sequence[RunSummary], output: Output, metric: str = "") -> None:
    """One line a run, in the order given, with the metric they are sorted by."""
    more = metric if metric in OTHERS or metric in CURVE else ""
    if more in ("total_return", "sharpe", "max_drawdown"):
        more = ""
    columns = {"run": False, "what": False, "return": True, "Sharpe": True, "max DD": True}
    output.table(
        {**columns, **({FIGURES[more][0]: True} if more else {}), "": False},
        (_line(run, more) for run in runs),
    )
    if not runs:
        output.line("no run to show; make one with: quarterdeck backtest run")
    output.summary(runs=[{**record_of(run), "error": run.result.error} for run in runs])


def record_of(run: RunSummary) -> dict[str, Any]:
    """A run as one JSON-able object, its tables aside."""
    result = run.result
    return {
        "run_id": run.run_id,
        "state": result.state,
        "simulated": run.simulated,
        "synthetic": run.synthetic,
        "sweep": result.sweep,
        "spec": run.spec.to_json(),
        "remarks": run.remarks.to_json(),
        "metrics": None if result.metrics is None else asdict(result.metrics),
    }


def title(run: RunSummary) -> str:
    """What a run was: strategy with its parameters, instruments, bars and range."""
    spec = run.spec
    set_to = ",".join(f"{name}={value}" for name, value in spec.parameters.items())
    return " ".join(
        [
            f"{spec.strategy}({set_to})" if set_to else spec.strategy,
            ",".join(spec.instruments),
            str(spec.bars),
            f"{spec.start}..{spec.end}",
        ]
    )


def _marks(run: RunSummary) -> str:
    told = (
        ("*", run.remarks.starred),
        ("partial", run.result.state == "partial"),
        ("simulated", run.simulated),
        ("synthetic", run.synthetic),
    )
    return " ".join([*(word for word, so in told if so), *(f"#{tag}" for tag in run.remarks.tags)])


def _line(run: RunSummary, more: str) -> tuple[str, ...]:
    metrics = run.result.metrics
    if metrics is None:
        failed = f"failed: {run.result.failure.title}"
        blanks = ("",) * (4 if more else 3)
        return run.run_id, title(run), *blanks, f"{_marks(run)} {failed}".strip()
    names = ("total_return", "sharpe", "max_drawdown", *([more] if more else []))
    figures = (FIGURES[name][1](getattr(metrics, name)) for name in names)
    return run.run_id, title(run), *figures, _marks(run)


def _print_figures(run: StoredRun, metrics: Metrics, output: Output) -> None:
    """Figures with the benchmark beside them to the left, those of the run alone to the right, in
    two columns where there is room."""
    held = run.result.venues[0].instrument_id
    left = [
        (label, say(getattr(metrics, name)), _of_benchmark(metrics, name, say))
        for name, (label, say) in CURVE.items()
    ]
    right = [(label, say(getattr(metrics, name))) for name, (label, say) in OTHERS.items()]
    columns = {"figure": False, "value": True, f"{held} held": True}
    height = len(right) if output.width < _WIDTH_OF_THREE else -(-len(right) // 2)
    blocks = [*batched(right, height, strict=False)]
    for blanks in (" " * number for number in range(1, len(blocks) + 1)):
        columns |= {f"figure{blanks}": False, f"value{blanks}": True}
    lines = zip_longest(left, *blocks)
    output.line()
    output.table(
        columns,
        (
            (*(first or ("", "", "")), *chain.from_iterable(one or ("", "") for one in others))
            for first, *others in lines
        ),
    )


def _of_benchmark(metrics: Metrics, name: str, say: Say) -> str:
    return NOT_AVAILABLE if metrics.benchmark is None else say(getattr(metrics.benchmark, name))


def _print_analysis(analysis: Analysis, still_open: int, output: Output) -> None:
    """Months by year, the worst falls, and shares where there are several."""
    if len(analysis.months) > 1:
        output.line()
        output.line(f"year{''.join(map(_in_month, (*_MONTHS, 'all', 'held')))}  in %")
        for line in _years(analysis.months, analysis.years):
            output.line(line)
    if analysis.drawdowns:
        output.line()
        output.table(
            {"drawdown": True, "peak (UTC)": False, "trough": False, "recovered": False},
            (
                (fallen(one.depth), _day(one.peak_ts), _day(one.trough_ts), _day(one.recovered_ts))
                for one in analysis.drawdowns
            ),
        )
    shares = [
        share
        for group in (analysis.by_instrument, analysis.by_side)
        if len(group) > 1
        for share in group
    ]
    if shares:
        output.line()
        _print_shares(shares, output)
        if still_open:
            output.line(f"with {counted(still_open, 'trade')} still open, at the last close")


def _years(months: Iterable[Period], years: Sequence[Period]) -> Iterable[str]:
    by_year = {year: list(those) for year, those in groupby(months, lambda one: one.year)}
    for year in years:
        gains = {one.month: tenths(one.gain) for one in by_year[year.year]}
        cells = (*(gains.get(month, "") for month in range(1, 13)), tenths(year.gain))
        yield f"{year.year}{''.join(map(_in_month, (*cells, tenths(year.benchmark))))}"


def _in_month(text: str) -> str:
    return f"{text:>5}"


def _print_shares(shares: Sequence[Share], output: Output) -> None:
    titles = ("trades", "win", "net", "average", "fees", "slippage")
    output.table(
        {"of": False, **dict.fromkeys(titles, True)},
        (
            (
                share.name,
                count(share.trades),
                plain_percent(share.win_rate),
                money(share.net),
                money(share.average),
                amount(share.fees),
                amount(share.slippage),
            )
            for share in shares
        ),
    )


def _day(stamp: int | None) -> str:
    return "not yet" if stamp is None else moment(stamp, "UTC")


def _chart(run: StoredRun) -> str:
    """Equity and drawdown, as wide as the terminal; plain where colours are not wanted."""
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    width = min(shutil.get_terminal_size((80, 24)).columns, _WIDEST)
    return equity_chart(
        run.equity.ts,
        run.equity.value,
        width,
        _CHART_HEIGHT,
        cash=run.metrics.start_equity,
        benchmark=run.equity.benchmark,
        colour=colour,
    )
