"""Indicators on candles: where they stand, what is told of them, and what is left out."""

from __future__ import annotations

import numpy as np

from tests.scenarios import backtest_bars as market
from tui.candle_chart import Overlay, candle_chart

BARS = market.flat_bars(np.linspace(100, 110, 30))
CLOSES = np.linspace(100, 110, 30)


def rows_of_lines(picture: str) -> list[int]:
    """The lines of a picture with braille in them, which candles have none of."""
    lines = picture.split("\n")
    return [
        at for at, line in enumerate(lines) if any("\u2801" <= sign <= "\u28ff" for sign in line)
    ]


def test_an_average_near_its_prices_is_drawn_among_the_candles() -> None:
    lagging = Overlay("SMA(5)", (CLOSES - 2,), True)
    picture = candle_chart(BARS, 80, 12, overlays=[lagging], title="AAPL", colour=False)
    assert picture.startswith("AAPL  SMA(5)   █ up ▒ down")
    rows = rows_of_lines(picture)
    assert len(rows) > 4
    assert any("█" in picture.split("\n")[row] for row in rows)


def test_one_that_is_far_from_its_prices_leaves_the_candles_their_room() -> None:
    """An average of volumes, or of prices long ago."""
    plain = candle_chart(BARS, 80, 12, title="AAPL", colour=False).split("\n")
    far = Overlay("SMA(5)", (CLOSES * 1_000,), True)
    picture = candle_chart(BARS, 80, 12, overlays=[far], title="AAPL", colour=False)
    assert picture.split("\n")[1:] == plain[1:]
    told = candle_chart(BARS, 90, 12, overlays=[far], cursor=0, title="AAPL", colour=False)
    assert "SMA(5) 100,000.00" in told.split("\n")[0]


def test_one_on_another_scale_has_a_strip_below_where_there_is_room() -> None:
    strength = Overlay("RSI(14)", (np.linspace(30, 70, 30),), False)
    tall = candle_chart(BARS, 80, 24, overlays=[strength], title="AAPL", colour=False).split("\n")
    at = tall.index("RSI(14)".ljust(80))
    assert at == 17
    assert [line[:5].strip() for line in tall[at:] if "┤" in line] == ["60", "40"]
    assert min(rows_of_lines("\n".join(tall))) > at
    low = candle_chart(BARS, 80, 12, overlays=[strength], cursor=29, colour=False)
    assert "RSI(14) 70" in low
    assert rows_of_lines(low) == []


def test_the_crosshair_reads_off_all_lines_of_one_and_says_where_it_had_not_begun() -> None:
    lower = np.where(np.arange(30) < 20, np.nan, CLOSES - 1)
    bands = Overlay("BollingerBands(20)", (CLOSES + 1, lower), True)
    for cursor, told in ((10, "104.45/n/a"), (29, "111.00/109.00")):
        picture = candle_chart(BARS, 120, 12, overlays=[bands], cursor=cursor, colour=False)
        assert f"BollingerBands(20) {told}" in picture


def test_their_names_have_the_colours_of_their_lines() -> None:
    overlays = [Overlay(f"SMA({at})", (CLOSES - at / 10,), True) for at in (1, 2)]
    title, *rest = candle_chart(BARS, 80, 12, overlays=overlays, title="AAPL").split("\n")
    for number, name in ((3, "SMA(1)"), (12, "SMA(2)")):
        assert f"\x1b[38;5;{number}m{name}\x1b[0m" in title
        assert any(f"\x1b[38;5;{number}m" in line for line in rest)
