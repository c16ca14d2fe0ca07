"""What a run stood on, as hashes: enough to say later whether it would stand on the same."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from catalog import files
from catalog.coverage import Interval
from catalog.encoding import content_hash
from core.backtest.data import RunData
from core.backtest.spec import RunSpec

_ENGINE = version("nautilus_trader")  # once: looking it up takes as long as all the rest
_SEVERAL_VERSIONS = ("ts_event", "ts_init", "info")
"""What differs between stored versions of an instrument without a difference to a run."""
_INSTALLED = f"{os.sep}site-packages{os.sep}"
"""What is below it is no source of the user's, in whose folders an environment may lie."""
_NOT_OURS = ("nautilus_trader", "builtins", "typing", "abc")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """SHA-256 hashes. `spec` is of what was asked, with the range it came to; `data` of the bars
    in that range, by series, and of the definitions, by instrument; `strategy` of the source files
    of its class, the classes below it and its parameters, and of all that was imported from the
    user's folders, such as a fee model. `engine` is Nautilus' version."""

    spec: str
    data: Mapping[str, str] = field(default_factory=dict)
    strategy: str = ""
    engine: str = ""

    @classmethod
    def of(cls, spec: RunSpec, data: RunData, strategy: str) -> Self:
        """The fingerprint of a run. Reads the files that reach beyond its range, and the footers
        of the others."""
        return cls(_spec_hash(spec, data), data_hashes(data), strategy, _ENGINE)

    def for_spec(self, spec: RunSpec, data: RunData) -> Fingerprint:
        """That of another spec on the same data and strategy."""
        return replace(self, spec=_spec_hash(spec, data))

    def changes(self, other: Fingerprint) -> tuple[str, ...]:
        """What differs between the two, in words."""
        found = []
        if self.spec != other.spec:
            found.append("the spec, or the range it comes to")
        names = sorted(self.data.keys() | other.data.keys())
        differing = [name for name in names if self.data.get(name) != other.data.get(name)]
        if differing:
            found.append(f"the data: {', '.join(differing)}")
        if self.strategy != other.strategy:
            found.append("the source of the strategy")
        if self.engine != other.engine:
            found.append(f"NautilusTrader: {self.engine} before, {other.engine} now")
        return tuple(found)


def data_hashes(data: RunData) -> dict[str, str]:
    """The hash of each series' bars in the range, and of each definition that was stored.

    What a later fetch adds to the files, before or after the range, makes no difference.
    """
    if data.hashes is not None:
        return dict(data.hashes)
    found = {}
    for each in data.instruments:
        if each.definition is not None:
            found[each.instrument_id] = _hash(
                {key: one for key, one in each.definition.items() if key not in _SEVERAL_VERSIONS}
            )
        for series in (*each.series, *each.longer):
            found[str(series)] = _bars_hash(each.files_of(series), data.fed)
    for rate in data.rates:
        found[str(rate.series)] = _bars_hash(rate.files, data.rated)
    return found


def source_hash(folders: Sequence[Path], *kinds: type | None) -> str:
    """The hash of the source files of classes and their bases, Nautilus' own aside, and of all
    modules imported from the folders. To be called where the classes are loaded, in a worker
    process, before they run."""
    paths = {
        inspect.getfile(base)
        for kind in kinds
        for base in (kind.__mro__ if kind else ())
        if base.__module__.partition(".")[0] not in _NOT_OURS
    }
    below = tuple(f"{folder.absolute()}{os.sep}" for folder in folders if str(folder) in sys.path)
    if below:  # else nothing came from there, and looking at all modules copies their pages
        files = (getattr(module, "__file__", None) or "" for module in list(sys.modules.values()))
        paths.update(path for path in files if path.startswith(below) and _INSTALLED not in path)
    return hashlib.sha256(b"".join(Path(path).read_bytes() for path in sorted(paths))).hexdigest()


def strategy_hash(name: str, fees: str, folders: Sequence[Path]) -> str:
    """`source_hash` of a strategy by its full name, its configuration and the fees. Imports them:
    for worker processes only."""
    from core.backtest.fee_model import engine_fees
    from core.backtest.guard import Failure
    from core.strategies.loading import load

    loaded = load(name, folders)
    engine_fees(fees, Failure(name), folders)
    return source_hash(folders, loaded.kind, loaded.configuration)


def _bars_hash(paths: Sequence[Path], interval: Interval) -> str:
    parts = "".join(_bar_hashes(sorted(paths), interval))
    return hashlib.sha256(parts.encode()).hexdigest()


def _bar_hashes(paths: Sequence[Path], interval: Interval) -> Iterator[str]:
    """The content hash of the bars of each file that are in the range, as its footer would say it
    if it held no others."""
    start, end = interval
    for path in paths:
        file = files.inspect(path)
        if file is None or file.last <= start or file.first > end:
            continue
        if file.asked is not None and start < file.first and file.last <= end:
            yield file.asked.sha256
            continue
        if len(bars := files.read_between(path, interval)):
            yield content_hash(bars)


def _spec_hash(spec: RunSpec, data: RunData) -> str:
    return _hash({"spec": spec.to_json(), "interval": data.fed})


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
