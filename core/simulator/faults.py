"""Faults as data: what a simulated gateway does wrong, and when.

A script is TOML with one table for each fault:

    [[fault]]
    what = "slow"            # the fault, see below
    at = "historical_bars"   # on which occasion; without it the clock alone decides
    symbol = "AAPL"          # requests for this symbol alone (any)
    after = 30               # seconds from the start of the gateway on (0)
    nth = 3                  # the first occasion meant, of those after that (1)
    times = 2                # how many occasions it happens on, 0 being all of them (1)
    probability = 0.1        # that it happens on such an occasion, drawn from the seed (1)
    seconds = 20             # a parameter of this fault

Occasions are ``connect``, ``violation`` (of a pacing rule), and requests: ``contract_details``,
``matching_symbols``, ``market_rule``, ``current_time``; of history ``historical_bars``,
``schedule``, ``head_timestamp``, ``historical_ticks``; any of these four is a ``history``, any at
all a ``request``. Where two faults meet, the one that stands first in the script happens.

Faults of the whole gateway, on any occasion or by the clock:

- ``refuse``: nobody listens for ``seconds``; those who are connected stay.
- ``restart``: everyone is hung up on, nobody listens for ``seconds``, and for ``unknown`` more
  seconds no contract is known (error 200), as after the nightly restart.
- ``lost``: notice 1100, nothing answered for ``seconds``, then 1102 and the answers, or, with
  ``data_lost = true``, 1101 and nothing of what was asked before.
- ``farm``: the data farm ``farm`` is down for ``seconds`` (notices 2103 and 2104, for names that
  end in "hmds" 2105 and 2106, for names that begin with "secdef" 2157 and 2158); what it serves
  waits for it.
- ``clock``: the clock shown to clients is ``offset`` seconds ahead from then on.
- ``language``: error 162 begins with ``prefix`` from then on, as in a TWS of another language.

Faults of the connection on whose occasion they happen, by the clock of every one:

- ``silence``: not another byte is sent; the socket stays open.
- ``hang_up``: the socket is closed; at ``connect`` in the middle of the handshake.
- ``cut``: half of the next message is sent, then the socket is closed.
- ``drip``: from then on ``rate`` bytes are sent a second.
- ``garbage``: ``size`` random bytes, as one message with a correct length if ``framed = true``.

A fault of ``connect`` alone:

- ``client_id_in_use``: error 326, as if another client had the id.

Faults of one request:

- ``no_answer``: it is never answered.
- ``error``: answered with ``code`` and ``text``.
- ``unknown_contract``: answered with error 200.
- ``read_only``: the 321 of a read-only API, for request id -1, which names no request.

of requests for history alone:

- ``pacing``: answered with a pacing violation, then, with ``hang_up = true``, the socket is closed.
- ``empty``: answered with "HMDS query returned no data".
- ``slow``: answered ``seconds`` later.
- ``late``: answered ``seconds`` later, even if cancelled meanwhile.

and of bars alone:

- ``duplicate``: some bars come twice. ``unordered``: the bars are shuffled.
- ``lots``: volumes are in hundreds, as a gateway whose API settings say so sends them.
- ``unfinished``: half of the bar that begins where the request ends comes too.
"""

import random
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

HISTORY = ("historical_bars", "schedule", "head_timestamp", "historical_ticks")
REQUESTS = ("contract_details", "matching_symbols", "market_rule", *HISTORY, "current_time")
OCCASIONS = ("connect", "violation", "history", "request", *REQUESTS)

OF_GATEWAY = {
    "refuse": {"seconds"},
    "restart": {"seconds", "unknown"},
    "lost": {"seconds", "data_lost"},
    "farm": {"seconds", "farm"},
    "clock": {"offset"},
    "language": {"prefix"},
}
OF_CONNECTION: dict[str, set[str]] = {
    "silence": set(),
    "hang_up": set(),
    "cut": set(),
    "drip": {"rate"},
    "garbage": {"size", "framed"},
}
OF_CONNECT: dict[str, set[str]] = {"client_id_in_use": set()}
OF_REQUEST: dict[str, set[str]] = {
    "no_answer": set(),
    "error": {"code", "text"},
    "unknown_contract": set(),
    "read_only": set(),
}
OF_HISTORY = {
    "pacing": {"hang_up"},
    "empty": set(),
    "slow": {"seconds"},
    "late": {"seconds"},
}
OF_BARS: dict[str, set[str]] = {
    "duplicate": set(),
    "unordered": set(),
    "lots": set(),
    "unfinished": set(),
}

_PARAMETERS = OF_GATEWAY | OF_CONNECTION | OF_CONNECT | OF_REQUEST | OF_HISTORY | OF_BARS
_TIMING = {"what", "at", "after"}
_COUNTING = {"symbol", "nth", "times", "probability"}


class BadScript(ValueError):
    """A fault script that cannot be followed; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault: what happens, when, and its parameters (see the module's docstring).

    Raises ``BadScript`` for a fault there is not, or one that cannot happen on its occasion.
    """

    what: str
    at: str = ""
    symbol: str = ""
    after: float = 0.0
    nth: int = 1
    times: int = 1
    probability: float = 1.0
    seconds: float = 1.0
    unknown: float = 0.0
    data_lost: bool = False
    farm: str = "ushmds"
    offset: float = 0.0
    prefix: str = ""
    rate: int = 100
    size: int = 64
    framed: bool = False
    code: int = 162
    text: str = ""
    hang_up: bool = False

    def __post_init__(self) -> None:
        if self.what not in _PARAMETERS:
            raise BadScript(f"there is no fault {self.what!r}; there are {_listed(_PARAMETERS)}")
        occasions = _occasions(self.what)
        if self.at not in occasions:
            named = self.at or "the clock alone"
            raise BadScript(
                f"{self.what!r} cannot happen at {named}; it can at {_listed(occasions)}"
            )
        if self.symbol and self.at in ("connect", "violation"):
            raise BadScript(f"{self.what!r} at {self.at} concerns no symbol")
        if min(self.after, self.seconds, self.unknown, self.times) < 0 or self.nth < 1:
            raise BadScript(f"{self.what!r} has a number below the lowest possible")
        if self.rate < 1 or self.size < 1 or not 0 <= self.probability <= 1:
            raise BadScript(f"{self.what!r} has a number that is out of its range")

    @classmethod
    def from_table(cls, table: dict[str, Any]) -> "Fault":
        """A fault from its TOML table. Raises ``BadScript``, also for a key it has no use for."""
        what = table.get("what")
        known = _TIMING | _PARAMETERS.get(str(what), set())
        if "at" in table:
            known |= _COUNTING
        if surplus := table.keys() - known:
            raise BadScript(f"{what!r} has no use for {_listed(surplus)}")
        for field in fields(cls):
            value = table.get(field.name, field.default)
            if field.name in table and not _fits(value, field.type):
                raise BadScript(f"{field.name} of {what!r} cannot be {value!r}")
        if what is None:
            raise BadScript("a fault does not say what happens")
        return cls(**table)


def _fits(value: object, type_: object) -> bool:
    """Whether a TOML value is of a field's type; a whole number is a float, true no number."""
    if type_ is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type_


def _occasions(what: str) -> tuple[str, ...]:
    if what in OF_GATEWAY or what in OF_CONNECTION:
        return ("", *OCCASIONS)
    if what in OF_CONNECT:
        return ("connect",)
    if what in OF_REQUEST:
        return ("history", "request", *REQUESTS)
    return ("history", *HISTORY) if what in OF_HISTORY else ("historical_bars",)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(filter(None, names)))


def read(path: Path) -> list[Fault]:
    """The faults of a script. Raises ``BadScript``, and ``OSError`` when it cannot be read."""
    try:
        script = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadScript(f"it is not TOML: {error}") from error
    tables = script.pop("fault", [])
    if script:
        raise BadScript(f"it has no use for {_listed(script)}; faults stand under [[fault]]")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise BadScript("faults stand under [[fault]], in double brackets")
    return [Fault.from_table(table) for table in tables]


class Script:
    """Decides on which occasions the faults happen; ``clock`` gives seconds."""

    def __init__(self, faults: Iterable[Fault], seed: int, clock: Callable[[], float]) -> None:
        faults = tuple(faults)
        self.timed = tuple(fault for fault in faults if not fault.at)
        self._clock = clock
        self._began = clock()
        self._pending = [
            _Pending(fault, random.Random(f"{seed} {number}"))
            for number, fault in enumerate(faults)
            if fault.at
        ]

    def begin(self) -> None:
        """Count ``after`` from now on."""
        self._began = self._clock()

    def occurs(self, occasion: str, symbol: str = "") -> Fault | None:
        """The fault that happens now, on an occasion that this call counts; a request's symbol."""
        elapsed = self._clock() - self._began
        happening = None
        for pending in self._pending:
            if (
                pending.is_meant(occasion, symbol, elapsed)
                and happening is None
                and pending.strikes()
            ):
                happening = pending.fault
        return happening


class _Pending:
    """A fault, how often its occasion came, and how often it has happened."""

    def __init__(self, fault: Fault, rng: random.Random) -> None:
        self.fault = fault
        self._rng = rng
        self._came = 0
        self._happened = 0

    def is_meant(self, occasion: str, symbol: str, elapsed: float) -> bool:
        """Whether it could happen now; counts the occasion."""
        fault = self.fault
        occasions = {"request": REQUESTS, "history": HISTORY}.get(fault.at, (fault.at,))
        fits = occasion in occasions and fault.symbol in ("", symbol)
        if not fits or elapsed < fault.after:
            return False
        self._came += 1
        over = fault.times and self._happened >= fault.times
        return self._came >= fault.nth and not over

    def strikes(self) -> bool:
        """Whether it does happen; counts that."""
        happens = self._rng.random() < self.fault.probability
        self._happened += happens
        return happens
