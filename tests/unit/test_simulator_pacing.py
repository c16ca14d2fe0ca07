"""IBKR's published pacing rules, on a clock that the test turns."""

from core.simulator.pacing import BUDGET_RULE, BURST_RULE, IDENTICAL_RULE, MessageRate, Pacing


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def paced() -> tuple[Clock, Pacing]:
    clock = Clock()
    return clock, Pacing(clock)


def test_an_identical_request_waits_fifteen_seconds() -> None:
    clock, pacing = paced()
    assert pacing.broken_rule("AAPL 9:30", "AAPL") is None
    clock.seconds = 14.9
    assert pacing.broken_rule("AAPL 9:30", "AAPL") == IDENTICAL_RULE
    assert pacing.broken_rule("AAPL 9:31", "AAPL") is None
    clock.seconds = 15.0
    assert pacing.broken_rule("AAPL 9:30", "AAPL") is None


def test_the_sixth_request_for_one_series_within_two_seconds_is_too_many() -> None:
    clock, pacing = paced()
    assert [pacing.broken_rule(number, "AAPL") for number in range(5)] == [None] * 5
    assert pacing.broken_rule(5, "AAPL") == BURST_RULE
    assert pacing.broken_rule(5, "MSFT") is None
    clock.seconds = 2.0
    assert pacing.broken_rule(6, "AAPL") is None


def test_sixty_requests_go_through_in_ten_minutes() -> None:
    clock, pacing = paced()
    for number in range(60):
        assert pacing.broken_rule(number, f"series {number}") is None
    clock.seconds = 599.9
    assert pacing.broken_rule("one more", "series") == BUDGET_RULE
    clock.seconds = 600.0
    assert pacing.broken_rule("one more", "series") is None


def test_bid_and_ask_together_count_double() -> None:
    _, pacing = paced()
    for number in range(30):
        assert pacing.broken_rule(number, number, weight=2) is None
    assert pacing.broken_rule("one more", "series") == BUDGET_RULE


def test_a_refused_request_does_not_count() -> None:
    clock, pacing = paced()
    assert pacing.broken_rule("AAPL 9:30", "AAPL") is None
    clock.seconds = 10.0
    assert pacing.broken_rule("AAPL 9:30", "AAPL") == IDENTICAL_RULE
    clock.seconds = 15.0
    assert pacing.broken_rule("AAPL 9:30", "AAPL") is None


def test_a_steady_client_passes_and_a_hundred_and_one_in_two_seconds_do_not() -> None:
    clock = Clock()
    rate = MessageRate(clock, limit=50)
    for number in range(500):
        clock.seconds = number / 45  # as fast as ib_async sends
        assert not rate.is_exceeded()
    clock.seconds = 20.0
    assert [rate.is_exceeded() for _ in range(101)] == [False] * 100 + [True]
    clock.seconds = 22.0
    assert not rate.is_exceeded()


def test_no_limit_is_no_limit() -> None:
    rate = MessageRate(Clock(), limit=None)
    assert not any(rate.is_exceeded() for _ in range(1000))
