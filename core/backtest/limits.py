"""What a run may take, memory and time without a word, and the words its end is told in."""

from __future__ import annotations

import faulthandler
import re
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from catalog.errors import DataUnavailable
from catalog.workers import WorkerDied

_GIGABYTE = 1 << 30
_TIMED_OUT = "Timeout ("
_NO_MEMORY = ("memory allocation of", "MemoryError", "Cannot allocate memory")
_FRAME = re.compile(r'  File "(?P<file>.+)", line (?P<line>\d+) in (?P<name>\S+)')
_TAIL = 64_000


@dataclass(frozen=True, slots=True)
class Limits:
    """`memory` is how many bytes a run may hold beyond what the worker has at its start, `silence`
    how many seconds it may take over one window of bars."""

    memory: int = 4 * _GIGABYTE
    silence: float = 120.0

    @classmethod
    def of(cls, *, memory_gb: float, silence_s: float) -> Self:
        """The limits that settings give."""
        return cls(int(memory_gb * _GIGABYTE), silence_s)

    def hold(self) -> None:
        """Hold this process to them: beyond the memory Python raises `MemoryError` and Nautilus
        aborts, after the silence the process writes where it stands to its log and ends."""
        # Not RLIMIT_AS: address space that is merely reserved would count.
        data_pages = int(Path("/proc/self/statm").read_text().split()[5])
        most = data_pages * resource.getpagesize() + self.memory
        resource.setrlimit(resource.RLIMIT_DATA, (most, resource.RLIM_INFINITY))
        self.heard()

    def heard(self) -> None:
        """The run gave word of itself: the silence begins anew."""
        faulthandler.dump_traceback_later(self.silence, exit=True)

    def release(self) -> None:
        """Stop counting: what is still to do is ours."""
        faulthandler.cancel_dump_traceback_later()

    def death_of(self, name: str, died: WorkerDied, log: Path) -> DataUnavailable:
        """What a worker's end says of the strategy `name` it ran."""
        last = _tail(log)
        if _TIMED_OUT in last:
            return DataUnavailable(
                f"{name} did not come back within {self.silence:g} s",
                "\n".join(_places(last)) or "an endless loop, perhaps",
                "look for a loop that does not end",
                "or lower the work it does for each bar",
            )
        if any(words in last for words in _NO_MEMORY):
            return out_of_memory(name, died.reason)
        return DataUnavailable(
            f"the process of {name} ended without a result",
            died.reason,
            "read the log of the run",
        )


def out_of_memory(name: str, reason: str) -> DataUnavailable:
    """What is told of a strategy that met the limit of memory."""
    return DataUnavailable(
        f"{name} took more memory than a run may",
        reason,
        "keep less in the strategy",
        "or run a shorter range",
    )


def _places(last: str) -> list[str]:
    """Where Python stood when the time was over, the innermost place first."""
    found = _FRAME.finditer(last.rpartition(_TIMED_OUT)[2])
    ours = str(Path(__file__).parent)
    return [
        f"{one['file']}, line {one['line']}, in {one['name']}"
        for one in found
        if not one["file"].startswith((ours, "<frozen")) and "/multiprocessing/" not in one["file"]
    ][:8]


def _tail(log: Path) -> str:
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL))
        return file.read().decode(errors="replace")
