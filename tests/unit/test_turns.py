"""Open requests: bounded, and in fair turns between jobs."""

from __future__ import annotations

import asyncio

import pytest

from core.turns import Turns


async def ask(turns: Turns, job: str, order: list[str], *, until: asyncio.Event) -> None:
    async with turns.take(job):
        order.append(job)
        await until.wait()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_no_more_requests_are_open_than_there_may_be() -> None:
    turns, order, answered = Turns(3), [], asyncio.Event()  # type: ignore[var-annotated]
    tasks = [asyncio.create_task(ask(turns, "a", order, until=answered)) for _ in range(5)]
    await settle()
    assert len(order) == 3
    answered.set()
    await asyncio.gather(*tasks)
    assert len(order) == 5


async def test_a_small_job_does_not_wait_behind_a_large_one() -> None:
    turns, order, answered = Turns(1), [], asyncio.Event()  # type: ignore[var-annotated]
    jobs = ["large"] * 6 + ["small"] * 2 + ["other"]
    tasks = [asyncio.create_task(ask(turns, job, order, until=answered)) for job in jobs]
    await settle()
    answered.set()
    await asyncio.gather(*tasks)
    assert order == ["large", "large", "small", "other", "large", "small", *["large"] * 3]


async def test_who_gives_up_waiting_takes_no_turn() -> None:
    turns, order, answered = Turns(1), [], asyncio.Event()  # type: ignore[var-annotated]
    first = asyncio.create_task(ask(turns, "a", order, until=answered))
    second = asyncio.create_task(ask(turns, "b", order, until=answered))
    third = asyncio.create_task(ask(turns, "c", order, until=answered))
    await settle()
    second.cancel()
    answered.set()
    await asyncio.gather(first, third)
    assert order == ["a", "c"]
    with pytest.raises(asyncio.CancelledError):
        await second


async def test_silence_of_the_broker_narrows_and_answers_widen_again() -> None:
    turns = Turns(50)
    for _ in range(5):
        turns.narrow()
    assert turns.width == 4
    for _ in range(100):
        turns.widen()
    assert turns.width == 50
