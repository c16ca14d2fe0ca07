"""Instruments as files of Nautilus' own encoder, which runs in a worker process: those that are
asked for at the same time share one."""

from __future__ import annotations

import hashlib
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from catalog import workers
from catalog.errors import QuarterdeckError, WrongInput
from catalog.instruments import Definition, definition_path


@dataclass(frozen=True, slots=True)
class Encoded:
    """A definition as Nautilus understands it, and the file it writes of that."""

    definition: Definition
    content: bytes

    @property
    def sha256(self) -> str:
        """The hash of the file."""
        return hashlib.sha256(self.content).hexdigest()


type _Waiting = tuple[Definition, Future[Encoded]]

_waiting: list[_Waiting] = []
_guard = threading.Lock()
_at_work = threading.Lock()


def encode(definition: Definition) -> Encoded:
    """Have Nautilus encode a definition. Blocking; for each of several threads as fast as for one.

    Raises `WrongInput` when Nautilus has no such class of instrument, or refuses it.
    """
    definition_path(definition)  # refused before anything starts
    mine: _Waiting = definition, Future()
    with _guard:
        _waiting.append(mine)
    with _at_work:  # whoever comes first works for all who wait by then
        if not mine[1].done():
            with _guard:
                together, _waiting[:] = _waiting[:], []
            _work(together)
    return mine[1].result()


def _work(together: Sequence[_Waiting]) -> None:
    found: Sequence[Encoded | QuarterdeckError]
    try:
        found = workers.run_blocking(_encode, [definition for definition, _ in together])
    except QuarterdeckError as error:
        if len(together) > 1:  # the worker died of one of them
            for each in together:
                _work([each])
            return
        found = [error]
    for (_, result), one in zip(together, found, strict=True):
        if isinstance(one, Encoded):
            result.set_result(one)
        else:
            result.set_exception(one)


def _encode(definitions: Sequence[Definition]) -> list[Encoded | WrongInput]:
    """In the worker: each definition encoded, or why Nautilus refuses it."""
    from nautilus_trader import model
    from nautilus_trader.persistence import ParquetDataCatalog

    def one(definition: Definition) -> Encoded | WrongInput:
        try:
            instrument = getattr(model, definition["type"]).from_dict(definition)
            catalog.write_instruments([instrument])
            understood: Definition = instrument.to_dict()
            return Encoded(understood, (Path(folder) / definition_path(understood)).read_bytes())
        except (KeyError, TypeError, ValueError, OSError) as error:
            return WrongInput(
                f"{definition.get('id')} cannot be stored",
                f"Nautilus refuses its definition: {error}",
            )

    with tempfile.TemporaryDirectory() as folder:
        catalog = ParquetDataCatalog(folder)
        return [one(definition) for definition in definitions]
