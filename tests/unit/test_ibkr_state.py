"""What accounts say about the money behind them."""

from __future__ import annotations

import pytest

from core.ibkr.state import ConnectionState


@pytest.mark.parametrize(
    ("accounts", "money"),
    [
        ((), ""),
        (("DUSIM0001",), "simulated"),
        (("DU1234567",), "paper"),
        (("DF1234567", "DU1234568"), "paper"),
        (("U1234567",), "LIVE"),
        (("DU1234567", "U1234567"), "LIVE"),
    ],
)
def test_the_beginning_of_an_account_tells_its_money(accounts: tuple[str, ...], money: str) -> None:
    state = ConnectionState(accounts=accounts)
    assert state.money == money
    assert state.live == (money == "LIVE")
