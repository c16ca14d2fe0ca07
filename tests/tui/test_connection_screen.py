"""The connection screen on a simulated gateway and on a port where nobody listens."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from catalog.events import Level
from catalog.series import BarSpec
from core.fetch import FetchRequest
from core.ibkr.notices import Notice
from core.settings import Settings
from tests.gateway_process import gateway_process
from tests.scenarios.listeners import answer_handshake, listener, open_session
from tests.tui.conftest import NOW
from tests.tui.deck import Deck, deck
from tests.tui.fields import field, fill
from tui.screens import connection
from tui.widgets.result_table import ResultTable


async def test_it_connects_by_itself_and_shows_what_it_is_connected_to(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port, size=(80, 34)) as shown:
        await shown.shows(
            "● connected",
            f"127.0.0.1:{gateway_port}",
            "DU***0001 (simulated)",
            "178  read-only",
            "s to the broker's",
            " ms",
        )
        assert shown.workspace.broker.state.accounts[0] not in shown.text
        await shown.shows(*(f"{farm}" for farm in shown.workspace.broker.farms), "ok")
        await shown.shows("2104 Market data farm connection is OK")


async def test_a_live_account_behind_a_paper_profile_is_called_live(tmp_path: Path) -> None:
    async def real_money(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer_handshake(reader, writer)
        await open_session(reader, writer, "U7654321")
        while await reader.read(1_000):
            pass

    async with listener(real_money) as port, deck(tmp_path, port, size=(100, 45)) as shown:
        await shown.shows("demo LIVE ", "U7***4321 (LIVE)")
        await shown.shows("U7***4321 is a LIVE account, though the profile demo is for paper")


async def test_disconnecting_and_connecting_again_by_key(tmp_path: Path, gateway_port: int) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await shown.shows("● connected", "d disconnect")
        await shown.press("c")  # not offered while connected
        await shown.press("d")
        await shown.shows("○ disconnected", "c connect")
        assert "Data farms" not in shown.text
        await shown.press("c")
        await shown.shows("● connected", "Data farms")
        assert len(shown.workspace.jobs.all) == 2


async def test_a_refused_connection_says_why_and_what_to_do(tmp_path: Path) -> None:
    async with deck(tmp_path) as shown:
        endpoint = str(shown.workspace.broker.endpoint)
        await shown.shows("✕ refused", "why", "what to do  1. ", endpoint, "c connect")
        assert "Traceback" not in shown.text


async def test_round_trips_are_measured_on_demand_and_drawn(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await shown.shows(" ms")
        for _ in range(2):
            await shown.press("r")
            await shown.pilot.pause(0.1)
        await shown.until(lambda: bool(re.search(r"[\d,]+ ms  [▁-█]{3}", shown.text)))


async def test_notices_are_added_as_they_come_and_not_twice(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port, size=(100, 45)) as shown:
        await shown.shows("● connected", "2158")
        shown.workspace.broker.notices.append(
            Notice(datetime(2026, 3, 4, 15, 0, tzinfo=UTC), 1100, "lost [it]", Level.ERROR)
        )
        await shown.shows("10:00:00 1100 ERROR lost [it]")
        await shown.pilot.pause(0.6)
        assert shown.text.count("lost [it]") == 1
        assert shown.text.count("secdefil") == 2  # as a farm and in its notice


async def test_a_farm_that_is_down_is_named(tmp_path: Path, gateway_port: int) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await shown.shows("● connected")
        broker = shown.workspace.broker
        broker.ib.errorEvent.emit(-1, 2103, "Market data farm connection is broken:usfarm", None)
        await shown.shows("◐ degraded", "data farm down: usfarm", "broken")


async def test_the_pacing_budget_is_shown_as_it_is_used_up(
    tmp_path: Path, gateway_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "GAUGES_EVERY_S", 0.2)
    async with deck(tmp_path, gateway_port) as shown:
        await shown.shows("─ Pacing ", "open", "0/50 [", "0/60 [")
        request = FetchRequest(
            ("GDX.ARCA",), BarSpec(30, "SECOND"), "2026-03-04T14:30", "2026-03-04T15:30", "regular"
        )
        await shown.workspace.fetch(request).wait()
        await shown.until(lambda: bool(re.search(r"[1-9]\d?/60 \[", shown.text)), "a used budget")


async def test_a_fixed_clock_is_compared_with_the_brokers(
    tmp_path: Path, gateway_port: int
) -> None:
    """Both stand at the same moment of March: the years until today are no difference."""
    async with deck(tmp_path, gateway_port) as shown:
        await shown.until(lambda: bool(re.search(r"clock +[+-][0-3]\.\d s to", shown.text)))


async def test_a_diagnosis_shows_each_step(tmp_path: Path, gateway_port: int) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await shown.shows("● connected")
        await shown.press("D")
        await shown.shows("─ Diagnosis ", "tcp", "login", "farms", "✓ a daily bar of EUR.USD")
        await shown.press("escape")
        await shown.until(lambda: "─ Diagnosis " not in shown.text)


async def test_a_diagnosis_that_fails_names_the_setting_to_change(tmp_path: Path) -> None:
    async with deck(tmp_path) as shown:
        await shown.shows("✕ refused")
        await shown.press("D")
        await shown.shows("─ Diagnosis ", "✕ ", "1. ", "handshake  not tried")


async def test_a_lost_gateway_is_tried_again_until_one_says_stop(tmp_path: Path) -> None:
    with gateway_process(NOW) as (port, process):
        async with deck(tmp_path, port) as shown:
            await shown.shows("● connected")
            process.kill()
            await shown.shows("reconnecting", "next try", "attempt", "c connect", "d disconnect")
            await shown.press("d")
            await shown.shows("○ disconnected")


async def test_a_profile_is_changed_and_switched_to(tmp_path: Path, gateway_port: int) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await shown.shows("● connected")
        await shown.press("p")
        await shown.shows("─ Profiles ", "paper-gateway", "LIVE", "127.0.0.1:4002", "open")
        point_at(shown, "paper-gateway")
        await shown.press("e")
        await shown.shows("─ Profile paper-gateway ", "host", "client id", "account")
        await fill(shown, port="99999")
        await shown.shows("!port", "less than or equal to 65535")
        await fill(shown, port="4444", client_id="x", host="10.0.0.5:4002")
        await shown.shows("!host", "without its port", "!client id")
        await shown.press("enter")
        assert "4444" not in settings_of(tmp_path)
        await fill(shown, host="10.0.0.5", client_id="7")
        await shown.press("enter")
        await shown.shows("10.0.0.5:4444 client 7")
        await shown.press("u")
        await shown.until(lambda: "by default" in line_of("paper-gateway", shown.text))
        await shown.press("enter")
        await shown.until(lambda: shown.app.next_profile == "paper-gateway")
    assert Settings.load(tmp_path / "settings.toml").choose(None).client_id == 7


async def test_a_profile_is_made_and_removed_again(tmp_path: Path, gateway_port: int) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await shown.press("p")
        await shown.shows("─ Profiles ", "live-tws")
        await shown.press("n")
        await shown.shows("─ New profile ")
        await shown.press("enter")
        await shown.shows("!name", "a name has up to 40 letters")
        await fill(shown, name="demo")
        await shown.shows("there is a profile 'demo' already")
        await fill(shown, name="office", port="4001", catalog=f"{tmp_path}/office")
        field(shown, "live").enter()
        await shown.press("right", "enter")
        await shown.until(lambda: "LIVE" in line_of("> office", shown.text))
        made = Settings.load(tmp_path / "settings.toml").profiles["office"]
        assert (made.port, made.live, made.catalog) == (4001, True, tmp_path / "office")

        await shown.press("delete")
        await shown.shows("─ Remove the profile office? ", "127.0.0.1:4001 is forgotten")
        await shown.press("n")
        assert "office" in settings_of(tmp_path)
        await shown.press("delete", "y")
        await shown.until(lambda: "office" not in shown.text)
        assert "office" not in settings_of(tmp_path)
        point_at(shown, "live-tws")
        await shown.press("delete")
        await shown.shows("the profile 'live-tws' cannot be removed", "it is built in")


async def test_the_open_profile_is_opened_anew_when_it_was_changed(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await shown.press("p")
        await shown.shows("─ Profiles ", "> demo")
        await shown.press("e")
        await shown.shows("─ Profile demo ")
        assert "port" not in shown.text.split("─ Profile demo ")[1]  # the simulator finds one
        await fill(shown, catalog=f"{tmp_path}/other")
        await shown.press("enter")
        await shown.shows("─ Open demo anew? ")
        assert Settings.load(tmp_path / "settings.toml").profiles["demo"].simulated
        await shown.press("y")
        await shown.until(lambda: shown.app.next_profile == "demo")


async def test_settings_that_cannot_be_written_are_told_in_the_form(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await shown.press("p")
        await shown.shows("─ Profiles ", "> demo")
        (tmp_path / "settings.toml").write_text("port = [\n")
        await shown.press("n")
        await shown.shows("─ New profile ")
        await fill(shown, name="office")
        await shown.press("enter")
        await shown.shows("The settings cannot be read", "correct or remove the file")


def point_at(shown: Deck, profile: str) -> None:
    shown.app.screen.query_one(ResultTable).point_at(profile)


def settings_of(home: Path) -> str:
    file = home / "settings.toml"
    return file.read_text() if file.exists() else ""


def line_of(word: str, text: str) -> str:
    return next(line for line in text.splitlines() if word in line)
