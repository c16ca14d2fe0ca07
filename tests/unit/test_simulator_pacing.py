"""IBKR's published pacing rules for small bars, on a clock that the test turns."""

from core.simulator.pacing import Pacing


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
    assert pacing.admits("AAPL 9:30", "AAPL")
    clock.seconds = 14.9
    assert not pacing.admits("AAPL 9:30", "AAPL")
    assert pacing.admits("AAPL 9:31", "AAPL")
    clock.seconds = 15.0
    assert pacing.admits("AAPL 9:30", "AAPL")


def test_the_sixth_request_for_one_series_within_two_seconds_is_too_many() -> None:
    clock, pacing = paced()
    assert all(pacing.admits(number, "AAPL") for number in range(5))
    assert not pacing.admits(5, "AAPL")
    assert pacing.admits(5, "MSFT")
    clock.seconds = 2.0
    assert pacing.admits(6, "AAPL")


def test_sixty_requests_go_through_in_ten_minutes() -> None:
    clock, pacing = paced()
    for number in range(60):
        assert pacing.admits(number, f"series {number}")
    clock.seconds = 599.9
    assert not pacing.admits("one more", "series")
    clock.seconds = 600.0
    assert pacing.admits("one more", "series")


def test_bid_and_ask_together_count_double() -> None:
    _, pacing = paced()
    for number in range(30):
        assert pacing.admits(number, number, weight=2)
    assert not pacing.admits("one more", "series")


def test_a_refused_request_does_not_count() -> None:
    clock, pacing = paced()
    assert pacing.admits("AAPL 9:30", "AAPL")
    clock.seconds = 10.0
    assert not pacing.admits("AAPL 9:30", "AAPL")
    clock.seconds = 15.0
    assert pacing.admits("AAPL 9:30", "AAPL")
