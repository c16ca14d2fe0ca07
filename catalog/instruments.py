"""Instrument definitions on disk, read with pyarrow.

A definition is what Nautilus' `to_dict()` gives. Each version is a file of its own, named by its
`ts_init`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from catalog.encoding import read_table
from catalog.errors import WrongInput
from catalog.events import Event
from catalog.files import damaged
from catalog.layout import file_name, folder_name
from catalog.sessions import Hours

type Definition = dict[str, Any]

_FOLDERS = {
    "Equity": "equity",
    "FuturesContract": "futures_contract",
    "FuturesSpread": "futures_spread",
    "OptionContract": "option_contract",
    "OptionSpread": "option_spread",
    "CryptoOption": "crypto_option",
    "CryptoOptionSpread": "crypto_option_spread",
    "CurrencyPair": "currency_pair",
    "IndexInstrument": "index_instrument",
    "Commodity": "commodity",
    "Cfd": "cfd",
    "CryptoPerpetual": "crypto_perpetual",
    "CryptoFuture": "crypto_future",
    "CryptoFuturesSpread": "crypto_futures_spread",
    "PerpetualContract": "perpetual_contract",
    "TokenizedAsset": "tokenized_asset",
    "BinaryOption": "binary_option",
    "BettingInstrument": "betting_instrument",
}
CLASS_FOLDERS = tuple(Path("data") / name for name in _FOLDERS.values())
"""Where instruments of each class stand, relative to the catalog's root."""

_REGULAR_HOURS = ("Equity", "IndexInstrument", "OptionContract", "OptionSpread")

_CHANGING = ("ts_event", "ts_init")
_CHANGING_INFO = ("trading_hours", "liquid_hours")


@dataclass(frozen=True, slots=True)
class InstrumentStored(Event):
    """A first or changed definition of an instrument is on disk and was read back."""

    channel: ClassVar[str] = "catalog"

    instrument_id: str
    path: Path

    def __str__(self) -> str:
        return f"instrument {self.instrument_id} stored"


@dataclass(frozen=True, slots=True)
class InstrumentUnchanged(Event):
    """The stored definition of an instrument says the same."""

    channel: ClassVar[str] = "catalog"

    instrument_id: str

    def __str__(self) -> str:
        return f"instrument {self.instrument_id} unchanged"


def contract_id(definition: Definition) -> int | None:
    """IBKR's contract id of an instrument, if its definition has one."""
    con_id = (definition.get("info") or {}).get("con_id")
    return int(con_id) if con_id else None


def id_source(definition: Definition) -> str:
    """Where the id and the definition of an instrument came from, in words."""
    info = definition.get("info") or {}
    if info.get("made_up"):
        return "made up by an import of bars"
    if info.get("migrated"):
        return "a catalog of NautilusTrader 1.x"
    if "con_id" not in info:
        return "another program"
    broker = "the simulated broker" if info.get("source") == "simulated" else "the broker"
    con_id = contract_id(definition)
    return f"{broker}, for contract {con_id}" if con_id else f"{broker}, for a continuous future"


def usual_hours(definition: Definition | None) -> Hours:
    """Which hours the bars of an instrument are of where nobody says: regular ones for stocks,
    options and indices, and where there is no instrument; all hours for everything else."""
    return "regular" if definition is None or definition["type"] in _REGULAR_HOURS else "all"


def definition_path(definition: Definition) -> Path:
    """Where this version of the instrument belongs, relative to the root.

    Raises `WrongInput` when Nautilus has no such class of instrument.
    """
    kind = definition.get("type")
    if kind not in _FOLDERS:
        raise WrongInput(f"'{kind}' is no class of instrument", f"known are {', '.join(_FOLDERS)}")
    stamp = int(definition["ts_init"])
    return (
        Path("data") / _FOLDERS[kind] / folder_name(str(definition["id"])) / file_name(stamp, stamp)
    )


def read_definitions(path: Path) -> list[Definition]:
    """The versions a file holds, one of ours and maybe several of another program's; stamps in
    ns and `info` decoded.

    Raises `DamagedFile`, and `FileNotFoundError` when it is gone.
    """
    try:
        table = read_table(path)
        kind = table.schema.metadata[b"type_name"].decode()
        columns = [
            column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
            for column in table.columns
        ]
        rows = pa.table(columns, names=table.schema.names).to_pylist()
        return [
            {"type": kind, **row, "info": json.loads(row["info"]) if row["info"] else None}
            for row in rows
        ]
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise damaged(path, error) from error


def same_instrument(one: Definition, other: Definition) -> bool:
    """Whether two definitions say the same; when they were made and the trading hours of the
    coming days do not count."""
    return _lasting(one) == _lasting(other)


def _lasting(definition: Definition) -> Definition:
    fields = {
        name: value
        for name, value in definition.items()
        if value is not None and name not in (*_CHANGING, "info")
    }
    info = definition.get("info") or {}
    fields["info"] = {name: info[name] for name in info if name not in _CHANGING_INFO}
    return fields
