"""What Nautilus would get wrong in silence, refused or warned about in words before a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import numpy as np

from catalog.errors import WrongInput
from catalog.layout import NANOS_PER_DAY
from catalog.series import NANOS_PER_SECOND
from core.backtest.currencies import (
    SYNTHETIC_CURRENCY,
    currency_of,
    foreign_currencies,
    quotes_between,
)
from core.backtest.data import InstrumentData, RunData
from core.backtest.fees import AssetKind, asset_kind, listed
from core.backtest.spec import RunSpec
from core.backtest.venues import is_made_up
from core.ibkr.symbology import is_us_stock_venue

_NANOS_PER_HOUR = 3_600 * NANOS_PER_SECOND


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
        _refuse_account(each, spec)
    _refuse_unknown_rates(spec, data)
    _refuse_unpriced_fees(spec, data)


def warnings_before(spec: RunSpec, data: RunData) -> Iterator[str]:
    """What the reader of the result has to know, one line each."""
    for each in data.instruments:
        expiry = _expiry(each)
        if expiry is not None and expiry < data.interval[1]:
            yield (
                f"{each.instrument_id} expires on {_day(expiry)}, inside the range: "
                "what is held then is closed at its last price"
            )
        if each.definition is not None and is_made_up(each.definition):
            yield (
                f"{each.instrument_id} is synthetic: an import made it up as "
                f"{each.definition['type']}, multiplier 1"
            )
        yield from _about_days(each)
    if spec.account == "cash" and spec.leverage:
        yield "a cash account has no leverage: what was given is passed over"
    elif spec.leverage:
        yield (
            "with a leverage, Nautilus denies an order that turns a position round unless there is "
            "margin for its full size"
        )
    if spec.fees == "ibkr_fixed":
        yield from _about_fees(data)


def _about_fees(data: RunData) -> Iterator[str]:
    if any(each.definition is None for each in data.instruments):
        yield "fees are those of stocks where the instrument is synthetic"
    for kind, currency in dict.fromkeys(map(_kind_of, data.instruments)):
        if (price := listed(kind, currency)) is not None and price.but:
            yield f"fees of {kind}s in {currency} are {price.but}"
    for each in data.instruments:
        venue = each.instrument_id.rpartition(".")[2]
        told = each.definition is not None and not is_made_up(each.definition)
        if told and _kind_of(each) == ("stock", "USD") and not is_us_stock_venue(venue):
            yield f"{each.instrument_id}: fees are those of US exchanges, others charge more"


def _kind_of(each: InstrumentData) -> tuple[AssetKind, str]:
    """What the terms of an instrument depend on."""
    if each.definition is None:
        return "stock", SYNTHETIC_CURRENCY
    kind = asset_kind(str(each.definition["type"]), each.info.get("sec_type"))
    return kind, currency_of(each.definition)


def _about_days(each: InstrumentData) -> Iterator[str]:
    """A day's bar is stamped at its end in UTC. Where the next session has opened by then, it is
    seen late beside bars of the day."""
    for series in each.longer:
        if series.spec.unit != "DAY" or each.sessions is None or not each.series[0].spec.intraday:
            continue
        opens, dates = each.sessions.opens, each.sessions.dates
        following = np.searchsorted(dates, dates, "right")
        late = (dates + 1) * NANOS_PER_DAY - opens[np.minimum(following, len(opens) - 1)]
        hours = float(np.max(late[following < len(opens)], initial=0)) / _NANOS_PER_HOUR
        if hours > 0:
            yield (
                f"{series}: a day is seen at its end in UTC, up to {hours:.1f} h after the next "
                "session has opened"
            )


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


_NEED_MARGIN: Mapping[AssetKind, str] = {
    "future": "futures are held on margin",
    "fx": "a pair is cash in two currencies, and this account has one",
    "crypto": "a pair is cash in two currencies, and this account has one",
}


def _refuse_account(each: InstrumentData, spec: RunSpec) -> None:
    kind, _ = _kind_of(each)
    if spec.account == "cash" and kind in _NEED_MARGIN:
        raise WrongInput(
            f"a cash account cannot hold {each.instrument_id}",
            _NEED_MARGIN[kind],
            "choose --account margin",
        )


def _refuse_unknown_rates(spec: RunSpec, data: RunData) -> None:
    known = {rate.currency for rate in data.rates}
    own = spec.starting_cash().currency
    for currency in foreign_currencies(spec, data.instruments):
        if currency in known:
            continue
        of = [each for each in data.instruments if currency_of(each.definition) == currency]
        (pair, _), *_ = quotes_between(currency, own)
        raise WrongInput(
            f"there is no rate of {currency} in {own}",
            f"{of[0].instrument_id if of else 'some of the cash'} is in {currency}, the figures "
            f"are in {own}: profits would not reach the account",
            f"fetch {pair} in 1-DAY-MID, over the range and a week before it",
            f"or start with cash in {currency}",
        )


_IN_WORDS: Mapping[AssetKind, str] = {
    "stock": "a stock",
    "future": "a future",
    "fx": "a pair of currencies",
    "crypto": "crypto",
    "other": "an instrument of its kind",
}


def _refuse_unpriced_fees(spec: RunSpec, data: RunData) -> None:
    for each in data.instruments:
        kind, currency = _kind_of(each)
        if spec.fees == "ibkr_fixed" and listed(kind, currency) is None:
            raise WrongInput(
                f"ibkr_fixed has no price for {each.instrument_id}",
                f"what IBKR charges for {_IN_WORDS[kind]} in {currency} is not in the list",
                "choose --fees zero, or --fees per_contract:AMOUNT",
            )


def _expiry(each: InstrumentData) -> int | None:
    definition = each.definition or {}
    if asset_kind(str(definition.get("type"))) != "future":
        return None
    nanos = definition.get("expiration_ns")
    return int(nanos) if isinstance(nanos, int | str) else None


def _day(nanos: int) -> str:
    return f"{datetime.fromtimestamp(nanos // NANOS_PER_SECOND, UTC):%Y-%m-%d}"
