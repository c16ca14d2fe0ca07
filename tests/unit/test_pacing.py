"""Nothing is admitted that breaks a published rule, by a checker that knows only those rules."""

from __future__ import annotations

import heapq
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from catalog.errors import CatalogUnusable
from catalog.events import Event
from core.ibkr.budget import Budget
from core.ibkr.pacing import Pacing
from core.ibkr.pacing_rules import Demand
from core.ibkr.session_events import PacingWait

START = 1_790_000_000.0
GATEWAY = "127.0.0.1:4002"
OPEN_FOR = 65.0


def small(
    series: str = "AAPL", request: str = "1", *, weight: int = 1, messages: int = 1
) -> Demand:
    return Demand(
        f"{series} {request} {weight}", series, True, True, weight=weight, messages=messages
    )


def large(name: str = "") -> Demand:
    return Demand(name, "AAPL", historical=True)


@dataclass
class Sent:
    at: float
    demand: Demand
    ended: float = float("inf")


def assert_rules_kept(sent: list[Sent]) -> None:
    """IBKR's rules in their own words, request by request against all before it."""
    sent = sorted(sent, key=lambda one: one.at)
    for number, one in enumerate(sent):
        before = sent[: number + 1]
        lately = [two for two in before if two.demand.small]
        if one.demand.small:
            identical = [
                two
                for two in lately[:-1]
                if two.demand.request == one.demand.request and one.at - two.at < 15
            ]
            assert not identical, "an identical request within 15 seconds"
            burst = sum(
                two.demand.weight
                for two in lately
                if two.demand.series == one.demand.series and one.at - two.at < 2
            )
            assert burst < 6, "six or more requests for one series within two seconds"
            budget = sum(two.demand.weight for two in lately if one.at - two.at < 600)
            assert budget <= 60, "more than 60 requests in ten minutes"
        messages = sum(two.demand.messages for two in before if one.at - two.at < 1)
        assert messages <= 50, "more than 50 messages a second"
        if one.demand.historical:
            still = [two for two in before if two.demand.historical and two.ended > one.at]
            assert len(still) <= 50, "more than 50 open requests"


@dataclass
class Clock:
    now: float = START

    def __call__(self) -> float:
        return self.now


@dataclass
class World:
    """Requests that are made, wait as they are told to, wake up late, end, and are let through by
    budgets of several processes on one file."""

    file: Path
    late: Callable[[], float] = lambda: 0.0
    lasting: float = 0.5
    clock: Clock = field(default_factory=Clock)
    sent: list[Sent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.budgets = [Budget(self.file, self.clock) for _ in range(2)]
        self._order = count()
        self._agenda: list[tuple[float, int, str, Demand, Sent | None]] = []

    def ask(self, demand: Demand, after: float = 0.0) -> None:
        self._plan(START + after, f"ticket {next(self._order)}", demand, None)

    def _plan(self, at: float, ticket: str, demand: Demand, ends: Sent | None) -> None:
        heapq.heappush(self._agenda, (at, next(self._order), ticket, demand, ends))

    def run(self) -> list[Sent]:
        while self._agenda:
            at, order, ticket, demand, ends = heapq.heappop(self._agenda)
            self.clock.now = max(self.clock.now, at)
            budget = self.budgets[order % 2]
            if ends is not None:
                budget.release(ticket)
                ends.ended = self.clock.now
            elif wait := budget.admit(GATEWAY, ticket, demand, OPEN_FOR):
                assert wait.seconds > 0
                self._plan(self.clock.now + wait.seconds + self.late(), ticket, demand, None)
            else:
                self.sent.append(Sent(self.clock.now, demand))
                self._plan(self.clock.now + self.lasting, ticket, demand, self.sent[-1])
        return self.sent

    def reopen(self) -> None:
        for budget in self.budgets:
            budget.close()
        self.budgets = [Budget(self.file, self.clock) for _ in range(2)]


demands = st.builds(
    small,
    st.sampled_from(["AAPL", "MSFT", "ESZ6"]),
    st.sampled_from("123456789"),
    weight=st.sampled_from([1, 2]),
    messages=st.sampled_from([1, 2]),
) | st.just(large())


# Without shrinking, which takes minutes here: a smaller list of requests says no more.
@settings(max_examples=30, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    asked=st.lists(st.tuples(demands, st.floats(0, 300)), min_size=40, max_size=110),
    lateness=st.lists(st.floats(0, 3), min_size=1, max_size=20),
    lasting=st.floats(0.05, 60),
)
def test_whatever_is_asked_by_whom_no_rule_is_broken(
    tmp_path_factory: pytest.TempPathFactory,
    asked: list[tuple[Demand, float]],
    lateness: list[float],
    lasting: float,
) -> None:
    late = iter(lateness * 10_000)
    world = World(tmp_path_factory.mktemp("budget") / "pacing.sqlite3", lambda: next(late), lasting)
    for demand, after in asked:
        world.ask(demand, after)
    sent = world.run()
    assert len(sent) == len(asked)
    assert_rules_kept(sent)


def test_the_checker_sees_each_rule_broken() -> None:
    def burst(number: int, apart: float, make: Callable[[int], Demand]) -> list[Sent]:
        return [Sent(START + apart * n, make(n), START + apart * n + 0.01) for n in range(number)]

    for broken, text in [
        (burst(2, 14.9, lambda n: small()), "identical"),
        (burst(6, 0.3, lambda n: small(request=str(n))), "six or more"),
        (burst(61, 9.0, lambda n: small(str(n % 7), str(n))), "more than 60"),
        (burst(31, 9.0, lambda n: small(str(n % 7), str(n), weight=2)), "more than 60"),
        (burst(51, 0.01, lambda n: large()), "50 messages"),
        ([replace(one, ended=START + 99) for one in burst(51, 0.1, lambda n: large())], "50 open"),
    ]:
        with pytest.raises(AssertionError, match=text):
            assert_rules_kept(broken)


def test_waiting_is_not_longer_than_the_rules_ask(tmp_path: Path) -> None:
    world = World(tmp_path / "pacing.sqlite3")
    for number in range(120):
        world.ask(small(f"S{number}", str(number)))
    at = [one.at - START for one in world.run()]
    assert_rules_kept(world.sent)
    assert at[59] <= 2.6, "nothing but messages a second stands against the first 60"
    assert 600 < at[60] < 601
    assert at[119] < 603.5


def test_bars_of_a_minute_and_more_wait_for_messages_only(tmp_path: Path) -> None:
    world = World(tmp_path / "pacing.sqlite3")
    for number in range(200):
        world.ask(large(str(number)))
    world.run()
    assert_rules_kept(world.sent)
    assert world.sent[-1].at - START < 200 / 45 * 1.25 + 1


def test_the_hundred_slow_ones_are_open_fifty_at_a_time(tmp_path: Path) -> None:
    world = World(tmp_path / "pacing.sqlite3", lasting=8.0)
    for number in range(100):
        world.ask(large(str(number)))
    world.run()
    assert_rules_kept(world.sent)
    assert 8 < world.sent[-1].at - START < 13


def test_a_program_that_is_started_again_knows_what_was_used_up(tmp_path: Path) -> None:
    world = World(tmp_path / "pacing.sqlite3")
    for number in range(60):
        world.ask(small(f"S{number}"))
    world.run()
    world.reopen()
    budget = world.budgets[0]
    assert budget.used(GATEWAY)["budget"] == 60
    wait = budget.admit(GATEWAY, "new", small("TSLA"), OPEN_FOR)
    assert wait is not None
    assert 590 < wait.seconds < 601
    assert "60 requests in 10 minutes" in wait.rule
    assert budget.admit("127.0.0.1:7497", "elsewhere", small("TSLA"), OPEN_FOR) is None
    world.clock.now += 601
    assert budget.used(GATEWAY)["budget"] == 0


def test_a_request_that_was_not_sent_does_not_count(tmp_path: Path) -> None:
    budget = Budget(tmp_path / "pacing.sqlite3", Clock())
    assert budget.admit(GATEWAY, "one", small(), OPEN_FOR) is None
    assert budget.admit(GATEWAY, "two", small(), OPEN_FOR) is not None
    budget.withdraw("two")
    budget.withdraw("one")
    assert budget.admit(GATEWAY, "three", small(), OPEN_FOR) is None


def test_what_a_killed_program_left_open_is_open_no_longer_than_it_could_be(
    tmp_path: Path,
) -> None:
    clock = Clock()
    budget = Budget(tmp_path / "pacing.sqlite3", clock)
    for number in range(50):
        clock.now += 0.1
        assert budget.admit(GATEWAY, str(number), large(), OPEN_FOR) is None
    assert budget.used(GATEWAY)["open"] == 50
    clock.now += 2
    full = budget.admit(GATEWAY, "one more", large(), OPEN_FOR)
    assert full is not None
    assert not full.known
    clock.now += OPEN_FOR
    assert budget.admit(GATEWAY, "one more", large(), OPEN_FOR) is None


def test_a_clock_that_is_set_back_does_not_hold_up_for_longer_than_the_rule(
    tmp_path: Path,
) -> None:
    clock = Clock()
    budget = Budget(tmp_path / "pacing.sqlite3", clock)
    assert budget.admit(GATEWAY, "one", small(), OPEN_FOR) is None
    clock.now -= 86_400
    wait = budget.admit(GATEWAY, "two", small(), OPEN_FOR)
    assert wait is not None
    assert wait.seconds < 16


def test_a_budget_that_cannot_be_used_says_what_to_do(tmp_path: Path) -> None:
    newer = tmp_path / "newer.sqlite3"
    Budget(newer).close()
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 99")
    damaged = tmp_path / "damaged.sqlite3"
    damaged.write_bytes(b"this is no database" * 100)
    for file in (newer, damaged, tmp_path / "nowhere" / "pacing.sqlite3"):
        with pytest.raises(CatalogUnusable) as refused:
            Budget(file)
        assert str(file) in refused.value.title
        assert refused.value.steps


async def test_waits_are_told_before_they_begin(tmp_path: Path) -> None:
    clock, events, told_before = Clock(), list[Event](), list[int]()

    async def pause(seconds: float) -> None:
        told_before.append(len(events))
        clock.now += seconds

    pacing = Pacing(tmp_path / "pacing.sqlite3", "localhost", 4002, clock=clock, pause=pause)
    for _ in range(2):
        async with pacing.admitted(small(), OPEN_FOR, events.append):
            gauges = {one.name: (one.used, one.limit) for one in await pacing.gauges()}
    assert clock.now - START == pytest.approx(15, abs=0.5)
    assert events == [
        PacingWait(pytest.approx(15, abs=0.5), "an identical request only after 15 s")
    ]
    assert told_before[0] == 1
    assert gauges == {"budget": (2, 60), "messages": (1, 45), "open": (1, 50)}
    after = {one.name: one.used for one in await pacing.gauges()}
    assert after["open"] == 0
    same = Pacing(tmp_path / "pacing.sqlite3", "127.0.0.1", 4002, clock=clock)
    assert {one.name: one.used for one in await same.gauges()} == after
    pacing.close()
    same.close()


HAMMER = """
import sys, time
from pathlib import Path
from core.ibkr.budget import Budget
from core.ibkr.pacing_rules import Demand
budget = Budget(Path(sys.argv[1]))
for number in range(40):
    ticket = f"{sys.argv[2]} {number}"
    while wait := budget.admit("g", ticket, Demand(historical=True), 60.0):
        time.sleep(wait.seconds)
    print(time.time(), flush=True)
    budget.release(ticket)
"""


def test_processes_share_one_budget(tmp_path: Path) -> None:
    file = str(tmp_path / "pacing.sqlite3")
    processes = [
        subprocess.Popen([sys.executable, "-c", HAMMER, file, name], stdout=subprocess.PIPE)
        for name in ("one", "two")
    ]
    times = sorted(
        float(line) for process in processes for line in process.communicate()[0].splitlines()
    )
    assert len(times) == 80
    assert_rules_kept([Sent(at, large(), at) for at in times])
    assert times[45] - times[0] > 1.0


@pytest.mark.parametrize("remote", [True, False])
def test_a_budget_on_a_network_file_system_needs_no_shared_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remote: bool
) -> None:
    monkeypatch.setattr("core.ibkr.budget.on_network", lambda _path: remote)
    file = tmp_path / "pacing.sqlite3"
    Budget(file, Clock()).close()
    with closing(sqlite3.connect(file)) as connection:
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    assert (mode == "wal") is not remote  # of both modes only WAL stays with the file
