"""The baseline of backtests: Nautilus' engine in one piece, as a script would use it.

For worker processes only.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from nautilus_trader.backtest import BacktestEngine, BacktestEngineConfig
from nautilus_trader.common import LoggerConfig
from nautilus_trader.execution import MakerTakerFeeModel
from nautilus_trader.model import (
    AccountType,
    BarType,
    Currency,
    Equity,
    InstrumentId,
    Money,
    OmsType,
    Price,
    Symbol,
)
from nautilus_trader.persistence import BarDataWrangler

from catalog.encoding import to_arrow
from core.strategies.configs import SmaCrossoverParameters
from core.strategies.positioning import Mandate
from core.strategies.sma_crossover import SmaCrossover
from tests.benchmarks.workspaces import SERIES, random_minutes


def bars_per_second(count: int, parameters: Mapping[str, Any] = MappingProxyType({})) -> float:
    """Run the strategy over `count` bars; the time runs from Arrow data to the end of the run."""
    import pyarrow as pa

    table = to_arrow(SERIES, random_minutes(count))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    encoded = sink.getvalue().to_pybytes()
    started = time.perf_counter()
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggerConfig(bypass_logging=True)))
    instrument_id, usd = InstrumentId.from_str(SERIES.instrument_id), Currency.from_str("USD")
    instrument = Equity(instrument_id, Symbol("AAPL"), usd, 2, Price.from_str("0.01"), 0, 0)
    engine.add_venue(
        instrument_id.venue,
        OmsType.NETTING,
        AccountType.MARGIN,
        [Money.from_str("1000000 USD")],
        base_currency=usd,
        fee_model=MakerTakerFeeModel(Decimal(0), Decimal(0)),
    )
    engine.add_instrument(instrument)
    bar_type = BarType.from_str(SERIES.bar_type)
    engine.add_strategy(
        SmaCrossover(
            Mandate(
                SmaCrossoverParameters(**parameters),
                instrument,
                bar_type,
                Decimal(1_000_000),
                "001",
            )
        )
    )
    engine.add_data(BarDataWrangler(SERIES.bar_type, 2, 0).process_record_batch_bytes(encoded))
    engine.run()
    return count / (time.perf_counter() - started)
