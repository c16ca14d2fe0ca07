"""What the codes of a gateway mean."""

from __future__ import annotations

import json

import pytest

from catalog.events import Level
from core.ibkr.notices import failure_kind, meaning
from tests.outside import SHARED

RECORDED = SHARED / "recordings/errors.jsonl"
HMDS = "Historical Market Data Service error message:"


@pytest.mark.parametrize(
    ("code", "text", "farms"),
    [
        (2104, "Market data farm connection is OK:usfarm.nj", (("usfarm.nj", "ok"),)),
        (2103, "Market data farm connection is broken:usbond", (("usbond", "broken"),)),
        (2119, "Market data farm is connecting:usfarm", (("usfarm", "connecting"),)),
        (
            2107,
            "HMDS data farm connection is inactive but should be available upon demand.ushmds",
            (("ushmds", "inactive"),),
        ),
        (
            1102,
            "Connectivity between IBKR and Trader Workstation has been restored - data "
            "maintained. The following farms are connected: cashfarm; secdefil. The following "
            "farms are not connected: cashhmds; usfarm.nj.",
            (("cashhmds", "broken"), ("usfarm.nj", "broken")),
        ),
    ],
)
def test_farms_are_read_out_of_notices(
    code: int, text: str, farms: tuple[tuple[str, str], ...]
) -> None:
    assert meaning(code, text).farms == farms


def test_connectivity_is_lost_and_restored() -> None:
    assert meaning(1100, "Connectivity lost").upstream is False
    assert meaning(1101, "restored- data lost.").upstream is True
    assert meaning(1102, "restored - data maintained.").upstream is True


def test_codes_without_an_entry_have_the_level_of_their_number() -> None:
    assert meaning(2174, "Warning: no time zone").level is Level.WARNING
    assert meaning(504, "Not connected").level is Level.ERROR


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (162, f"{HMDS}HMDS query returned no data: T@SMART Trades", "empty"),
        (162, f"{HMDS}Historical data request pacing violation", "pacing"),
        (162, f"{HMDS}No market data permissions for ISLAND STK", "no permission"),
        (162, f"{HMDS}No historical market data for EUR/CASH@FXSUBPIP Last 300", "refused"),
        (162, f"{HMDS}invalid step: 1", "refused"),
        (200, "No security definition has been found for the request", "not found"),
        (100, "Max rate of messages per second has been exceeded.", "pacing"),
        (99_999, "Something new", "refused"),
    ],
)
def test_each_failure_has_one_meaning(code: int, text: str, kind: str) -> None:
    assert failure_kind(code, text) == kind


@pytest.mark.skipif(not RECORDED.exists(), reason="the recordings are not here")
def test_every_recorded_farm_notice_names_its_farm() -> None:
    rows = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    notices = [
        row for row in rows if row["code"] in range(2103, 2109) or row["code"] in (2119, 2157, 2158)
    ]
    assert len(notices) >= 6
    assert all(len(meaning(row["code"], row["msg"]).farms) == 1 for row in notices)
