"""Instruments encoded by Nautilus: together where they wait together, each with its own outcome."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from catalog import instrument_encoding, workers
from catalog.errors import WrongInput
from catalog.instrument_encoding import Encoded, encode
from tests.benchmarks.workspaces import definition


class Deadly:
    """Ends the process that it is sent to."""

    def __reduce__(self) -> tuple[Callable[[int], None], tuple[int]]:
        return os._exit, (1,)


def named(name: str, **fields: Any) -> dict[str, Any]:
    return {**definition(), "id": f"{name}.NASDAQ", "raw_symbol": name, **fields}


def together(definitions: Sequence[dict[str, Any]]) -> list[Future[Encoded]]:
    """Encode them in threads that all wait for their turn before the first one has it."""
    with ThreadPoolExecutor(len(definitions)) as threads:
        with instrument_encoding._at_work:
            results = [threads.submit(encode, one) for one in definitions]
            while len(instrument_encoding._waiting) < len(definitions):
                time.sleep(0.001)
        return results


def test_those_that_wait_share_a_worker_and_a_refusal_is_of_one_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started = []
    run = workers.run_blocking
    monkeypatch.setattr(workers, "run_blocking", lambda *job: started.append(job) or run(*job))
    first, refused, last = together([named("A"), named("B", currency="NONE"), named("C")])
    assert len(started) == 1
    assert [one.result().definition["id"] for one in (first, last)] == ["A.NASDAQ", "C.NASDAQ"]
    assert first.result().content != last.result().content
    with pytest.raises(WrongInput, match=r"B\.NASDAQ cannot be stored"):
        refused.result()


def test_one_that_ends_the_worker_does_not_take_the_others_with_it() -> None:
    sound, deadly = together([named("A"), named("B", info={"x": Deadly()})])
    assert sound.result().definition["id"] == "A.NASDAQ"
    with pytest.raises(workers.WorkerDied):
        deadly.result()
