"""What a request means: ends, durations, and the fields on the wire."""

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.simulator.protocol import Refusal, encode, read_frame, split
from core.simulator.queries import Duration, lacks_zone, parse_end

NOW = datetime(2026, 7, 10, 22, 44, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    "end",
    [
        "20240611 15:00:00 UTC",
        "20240611-15:00:00",
        "20240611 11:00:00 US/Eastern",
        "20240611 11:00:00",
        "20240611 11:00:00 EST5EDT",
        "20240611  10:00:00 US/Central",
    ],
)
def test_every_form_of_an_end_means_the_same_moment(end: str) -> None:
    assert parse_end(end, NOW) == datetime(2024, 6, 11, 15, tzinfo=UTC)
    assert lacks_zone(end) == (end == "20240611 11:00:00")


def test_an_end_without_date_is_today_and_an_empty_one_is_now() -> None:
    assert parse_end("09:30:00 US/Eastern", NOW) == datetime(2026, 7, 10, 13, 30, tzinfo=UTC)
    assert parse_end("", NOW) == NOW


@pytest.mark.parametrize(
    "end", ["2024-06-11T15:00:00Z", "20240611", "20240631-10:00:00", "20240611 15:00:00 Mars/Base"]
)
def test_a_malformed_end_is_error_10314(end: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_end(end, NOW)
    assert refused.value.code == 10314


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("1800 S", datetime(2024, 3, 31, 11, 30, tzinfo=UTC)),
        ("2 D", datetime(2024, 3, 29, 12, tzinfo=UTC)),
        ("1 W", datetime(2024, 3, 24, 12, tzinfo=UTC)),
        ("1 M", datetime(2024, 2, 29, 12, tzinfo=UTC)),
        ("3 M", datetime(2023, 12, 31, 12, tzinfo=UTC)),
        ("1 Y", datetime(2023, 3, 31, 12, tzinfo=UTC)),
    ],
)
def test_a_duration_counts_back_on_the_calendar(text: str, start: datetime) -> None:
    assert Duration.parse(text).before(datetime(2024, 3, 31, 12, tzinfo=UTC)) == start


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1))
def test_fields_survive_the_wire(fields: list[str]) -> None:
    async def read() -> bytes:
        stream = asyncio.StreamReader()
        stream.feed_data(encode(*fields))
        return await read_frame(stream)

    assert split(asyncio.run(read())) == fields
