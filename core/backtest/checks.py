"""What Nautilus would get wrong in silence, refused or warned about in words before a run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from catalog.errors import WrongInput
from catalog.layout import NANOS_PER_DAY
from catalog.series import NANOS_PER_SECOND
from core.backtest.data import InstrumentData, RunData
from core.backtest.fees import asset_kind
from core.backtest.spec import RunSpec

SYNTHETIC_CURRENCY = "USD"


def currency_of(definition: dict[str, object] | None) -> str:
    """The currency an instrument is quoted and settled in."""
    if definition is None:
        return SYNTHETIC_CURRENCY
    return str(definition.get("quote_currency") or definition["currency"])


def refuse_unsound(spec: RunSpec, data: RunData) -> None:
    """Raise `WrongInput` for a run whose figures would be wrong without an error."""
    spec.check()
    seen = set()
    for each in data.instruments:
        if each.instrument_id in seen:
            raise WrongInput(
                f"{each.instrument_id} is named twice", "each instrument runs once", "name it once"
            )
        seen.add(each.instrument_id)
        _refuse_untradable(each, data.interval[0])
        _refuse_other_currency(each, spec)


def warnings_before(spec: RunSpec, data: RunData) -> Iterator[str]:
    """What the reader of the result has to know, one line each."""
    for each in data.instruments:
        expiry = _expiry(each)
        if expiry is not None and expiry < data.interval[1]:
            yield (
                f"{each.instrument_id} expires on {_day(expiry)}, inside the range: "
                "what is held then stays at its last price"
            )
    if spec.fees == "ibkr_fixed" and any(each.definition is None for each in data.instruments):
        yield "fees are those of stocks where the instrument is synthetic"


def _refuse_untradable(each: InstrumentData, start: int) -> None:
    if each.definition is None:
        return
    if each.definition["type"] == "IndexInstrument":
        raise WrongInput(
            f"{each.instrument_id} cannot be traded",
            "it is an index; Nautilus would fill orders on it all the same",
            "choose a future or a fund on it",
        )
    expiry = _expiry(each)
    if expiry is not None and expiry + NANOS_PER_DAY <= start:
        raise WrongInput(
            f"{each.instrument_id} had expired before the range",
            f"its last day was {_day(expiry)}",
            "choose a later contract or an earlier range",
        )


def _refuse_other_currency(each: InstrumentData, spec: RunSpec) -> None:
    cash, quoted = spec.starting_cash().currency, currency_of(each.definition)
    if quoted != cash:
        raise WrongInput(
            f"{each.instrument_id} is quoted in {quoted}, the cash is in {cash}",
            "profits would not reach the account, as there is no exchange rate in the run",
            f"start with cash in {quoted}",
            "run instruments of different currencies one by one",
        )
    if spec.fees == "ibkr_fixed" and cash != "USD":
        raise WrongInput(
            f"ibkr_fixed has no prices in {cash}",
            "it is the price list for the United States",
            "choose --fees zero",
        )


def _expiry(each: InstrumentData) -> int | None:
    definition = each.definition or {}
    if asset_kind(str(definition.get("type"))) != "future":
        return None
    nanos = definition.get("expiration_ns")
    return int(nanos) if isinstance(nanos, int | str) else None


def _day(nanos: int) -> str:
    return f"{datetime.fromtimestamp(nanos // NANOS_PER_SECOND, UTC):%Y-%m-%d}"
