"""Fault scripts: read from TOML, refused in words, and followed by occasion and clock."""

from pathlib import Path

import pytest

from core.simulator.faults import BadScript, Fault, Script, read


def happened(script: Script, occasion: str, times: int) -> list[bool]:
    return [script.occurs(occasion) is not None for _ in range(times)]


def script(*faults: Fault) -> Script:
    return Script(faults, seed=7, clock=lambda: 0.0)


def test_a_fault_happens_on_the_nth_occasion_and_as_often_as_it_says() -> None:
    followed = script(Fault(what="empty", at="historical_bars", nth=3, times=2))
    assert happened(followed, "schedule", 4) == [False] * 4
    assert happened(followed, "historical_bars", 6) == [False, False, True, True, False, False]


def test_none_is_for_ever() -> None:
    assert all(happened(script(Fault(what="silence", at="connect", times=0)), "connect", 50))


def test_any_request_is_any_but_a_connection() -> None:
    followed = script(Fault(what="hang_up", at="request", times=0))
    assert not any(happened(followed, "connect", 3))
    assert all(happened(followed, "current_time", 3))


def test_any_history_is_no_contract() -> None:
    followed = script(Fault(what="empty", at="history", times=0))
    assert not any(happened(followed, "contract_details", 3))
    assert all(happened(followed, "head_timestamp", 3))


def test_a_fault_of_one_symbol_spares_the_others() -> None:
    followed = script(Fault(what="empty", at="historical_bars", symbol="AAPL", nth=2))
    asked = ["AAPL", "MSFT", "MSFT", "AAPL", "AAPL"]
    found = [followed.occurs("historical_bars", symbol) is not None for symbol in asked]
    assert found == [False, False, False, True, False]


def test_the_first_of_two_faults_happens_and_the_second_has_its_turn_later() -> None:
    first, second = (Fault(what=what, at="historical_bars") for what in ("empty", "pacing"))
    followed = script(first, second)
    occasions = [followed.occurs("historical_bars") for _ in range(3)]
    assert occasions == [first, second, None]


def test_occasions_count_from_the_given_second_on() -> None:
    now = 100.0
    followed = Script([Fault(what="empty", at="schedule", after=5, nth=2)], 7, lambda: now)
    followed.begin()
    assert happened(followed, "schedule", 3) == [False] * 3
    now = 105.0
    assert happened(followed, "schedule", 3) == [False, True, False]


def test_a_chance_is_about_what_it_says() -> None:
    followed = script(Fault(what="empty", at="schedule", times=0, probability=0.2))
    assert 150 < sum(happened(followed, "schedule", 1000)) < 250


def test_a_script_reads_as_written(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(
        """
        [[fault]]
        what = "late"
        at = "historical_bars"
        seconds = 20

        [[fault]]
        what = "restart"
        after = 60.5
        seconds = 2
        unknown = 3.5
        """
    )
    assert read(path) == [
        Fault(what="late", at="historical_bars", seconds=20),
        Fault(what="restart", after=60.5, seconds=2, unknown=3.5),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[fault]", "not TOML"),
        ("[fault]\nwhat = 'cut'", "double brackets"),
        ("seed = 7", "no use for seed"),
        ("[[fault]]\nat = 'connect'", "does not say what happens"),
        ("[[fault]]\nwhat = 'flood'", "there is no fault 'flood'"),
        ("[[fault]]\nwhat = 'cut'\nat = 'lunch'", "cannot happen at lunch"),
        ("[[fault]]\nwhat = 'empty'", "cannot happen at the clock alone"),
        ("[[fault]]\nwhat = 'late'\nat = 'contract_details'", "cannot happen at contract_details"),
        ("[[fault]]\nwhat = 'pacing'\nat = 'request'", "cannot happen at request"),
        ("[[fault]]\nwhat = 'cut'\nat = 'connect'\nsymbol = 'IBM'", "concerns no symbol"),
        ("[[fault]]\nwhat = 'cut'\nat = 'connect'\nseconds = 3", "no use for seconds"),
        ("[[fault]]\nwhat = 'cut'\nnth = 3", "no use for nth"),
        ("[[fault]]\nwhat = 'cut'\nat = 'connect'\nnth = 0", "below the lowest"),
        ("[[fault]]\nwhat = 'cut'\nat = 'connect'\nnth = '2'", "nth of 'cut' cannot be '2'"),
        ("[[fault]]\nwhat = 'cut'\nat = 'connect'\nprobability = 2", "out of its range"),
        ("[[fault]]\nwhat = 'refuse'\nseconds = true", "seconds of 'refuse' cannot be True"),
    ],
)
def test_a_script_that_makes_no_sense_is_refused_in_words(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(text)
    with pytest.raises(BadScript, match=reason):
        read(path)
