"""What goes wrong with the gateway as a whole: its own connections, its clock, its language."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from core.simulator.faults import HISTORY, Fault
from core.simulator.queries import HISTORY_ERROR

LOST = (1100, "Connectivity between IBKR and Trader Workstation has been lost.")
# The text of 1101 is IBKR's documentation's, that of 1102 recorded.
DATA_LOST = (1101, "Connectivity between IBKR and Trader Workstation has been restored- data lost.")
MAINTAINED = (
    1102,
    "Connectivity between IBKR and Trader Workstation has been restored - data maintained. "
    "All data farms are connected: usfarm; ushmds; secdefil.",
)
# The farms a real gateway told of after login, in its order.
FARMS = (
    *("usfarm.nj", "usfuture", "cashfarm", "usopt", "usfarm"),
    *("cashhmds", "ushmds"),
    "secdefil",
)


@dataclass(frozen=True)
class _Kind:
    """A kind of data farm: the requests that wait while one of it is down, and its notices."""

    serves: frozenset[str]
    broken: tuple[int, str]
    restored: tuple[int, str]


_SECURITIES = _Kind(
    frozenset({"contract_details", "matching_symbols"}),
    (2157, "Sec-def data farm connection is broken:"),
    (2158, "Sec-def data farm connection is OK:"),
)
_HISTORY = _Kind(
    frozenset(HISTORY),
    (2105, "HMDS data farm connection is broken:"),
    (2106, "HMDS data farm connection is OK:"),
)
_MARKET = _Kind(
    frozenset(),
    (2103, "Market data farm connection is broken:"),
    (2104, "Market data farm connection is OK:"),
)


class Outages:
    """The gateway's ailments; ``notify(code, text)`` tells every client."""

    def __init__(self, notify: Callable[[int, str], None], clock: Callable[[], float]) -> None:
        self.clock_offset = 0.0
        self._notify = notify
        self._clock = clock
        self._prefix = ""
        self._unknown_until = 0.0
        self._is_lost = False
        self._down: set[str] = set()
        self._changed = asyncio.Event()

    def show_clock(self, offset: float) -> None:
        """Show a clock that is ``offset`` seconds ahead."""
        self.clock_offset = offset

    def speak(self, prefix: str) -> None:
        """Begin error 162 with ``prefix``."""
        self._prefix = prefix

    def forget_contracts(self, seconds: float) -> None:
        """Know no contract for that long."""
        self._unknown_until = self._clock() + seconds

    @property
    def knows_contracts(self) -> bool:
        """Whether contracts are known, as they are but for the minutes after a restart."""
        return self._clock() >= self._unknown_until

    def worded(self, code: int, text: str) -> str:
        """An error's text in the gateway's language."""
        if code == 162 and self._prefix:
            return text.replace(HISTORY_ERROR, self._prefix, 1)
        return text

    async def lose_connection(self, fault: Fault, forget: Callable[[], None]) -> None:
        """Be cut off from IBKR for a while; ``forget`` drops all that was asked."""
        self._is_lost = True
        self._notify(*LOST)
        await asyncio.sleep(fault.seconds)
        if fault.data_lost:
            forget()
        self._is_lost = False
        self._notify(*(DATA_LOST if fault.data_lost else MAINTAINED))
        self._pulse()

    async def lose_farm(self, fault: Fault) -> None:
        """Be cut off from one data farm for a while."""
        self._down.add(fault.farm)
        self._notify(*self._state(fault.farm))
        await asyncio.sleep(fault.seconds)
        self._down.discard(fault.farm)
        self._notify(*self._state(fault.farm))
        self._pulse()

    def notices(self) -> list[tuple[int, str]]:
        """What a client is told after it has logged in: how each farm is."""
        return [*([LOST] if self._is_lost else []), *map(self._state, FARMS)]

    def _state(self, farm: str) -> tuple[int, str]:
        kind = _kind(farm)
        code, text = kind.broken if farm in self._down else kind.restored
        return code, text + farm

    def holds(self, kind: str) -> bool:
        """Whether requests of ``kind`` cannot be answered now."""
        return (self._is_lost and kind != "current_time") or any(
            kind in _kind(farm).serves for farm in self._down
        )

    async def passed(self, kind: str) -> None:
        """Wait until requests of ``kind`` can be answered."""
        while self.holds(kind):
            await self._changed.wait()

    def _pulse(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _kind(farm: str) -> _Kind:
    if farm.startswith("secdef"):
        return _SECURITIES
    return _HISTORY if farm.endswith("hmds") else _MARKET
