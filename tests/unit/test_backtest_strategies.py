"""What can be set on a strategy, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal

import pytest

from catalog.errors import WrongInput
from core import strategies
from core.strategies.configs import SmaCrossoverParameters


def test_describing_all_strategies_loads_no_engine() -> None:
    program = (
        "import sys; from core import strategies\n"
        "for name in strategies.strategy_names(): strategies.describe(name)\n"
        "print([name for name in ('nautilus_trader', 'pandas', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_strategy_says_what_it_does_and_what_can_be_set() -> None:
    info = strategies.describe("sma_crossover")
    assert info.summary.startswith("Long while the fast average")
    assert [(each.name, each.type, each.default) for each in info.parameters] == [
        ("fast_period", "int", 10),
        ("slow_period", "int", 20),
        ("trade_size", "decimal", None),
    ]
    assert all(each.doc for each in info.parameters)


def test_text_is_read_as_what_the_parameter_is() -> None:
    typed = {"fast_period": "5", "slow_period": 50, "trade_size": "0.10"}
    assert strategies.parameters_of("sma_crossover", typed) == SmaCrossoverParameters(
        fast_period=5, slow_period=50, trade_size=Decimal("0.10")
    )


def test_an_empty_optional_parameter_is_its_absence() -> None:
    assert strategies.parameters_of("buy_and_hold", {"trade_size": ""}).trade_size is None


def test_an_unknown_strategy_is_answered_with_the_nearest_first() -> None:
    with pytest.raises(WrongInput) as refusal:
        strategies.find("rsi_mean")
    assert refusal.value.reason.startswith("the strategies are rsi_mean_reversion,")
    assert all(name in refusal.value.reason for name in strategies.strategy_names())


def test_a_mistyped_parameter_is_answered_with_the_nearest_first() -> None:
    with pytest.raises(WrongInput) as refusal:
        strategies.parameters_of("sma_crossover", {"fsat_period": 99})
    assert refusal.value.reason == "its parameters are fast_period, slow_period, trade_size"


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("sma_crossover", {"fast_period": "ten"}),
        ("sma_crossover", {"fast_period": 2.5}),
        ("sma_crossover", {"fast_period": True}),
        ("sma_crossover", {"fast_period": ""}),
        ("sma_crossover", {"fast_period": 0}),
        ("sma_crossover", {"fast_period": 20, "slow_period": 20}),
        ("sma_momentum", {"threshold": "nan"}),
        ("sma_momentum", {"threshold": "inf"}),
        ("sma_momentum", {"lookback": 10_001}),
        ("rsi_mean_reversion", {"oversold": 80}),
        ("buy_and_hold", {"trade_size": 0}),
        ("buy_and_hold", {"trade_size": "-5"}),
        ("buy_and_hold", {"trade_size": "many"}),
    ],
)
def test_values_a_strategy_cannot_work_with_are_refused(
    name: str, given: dict[str, object]
) -> None:
    with pytest.raises(WrongInput) as refusal:
        strategies.parameters_of(name, given)
    assert refusal.value.reason and refusal.value.steps
