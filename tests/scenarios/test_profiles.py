"""Profiles and search by command, as a user types them."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

from core.simulator.server import SimulatedGateway
from tests.scenarios.commands import PROGRAM, Ended, Shell


def quarterdeck(home: Path, *arguments: str) -> Ended:
    done = subprocess.run(
        [PROGRAM, *arguments, "--home", home],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env=os.environ,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


async def test_a_profile_made_by_command_is_the_gateway_from_then_on(tmp_path: Path) -> None:
    async with SimulatedGateway() as gateway:

        def type_it() -> None:
            port = str(gateway.port)
            made = quarterdeck(
                tmp_path, "profile", "add", "desk", "--port", port, "--client-id", "5", "--json"
            )
            assert made.code == 0, made.err
            assert made.summary["port"] == gateway.port
            assert quarterdeck(tmp_path, "profile", "use", "desk").code == 0
            listed = quarterdeck(tmp_path, "profile", "list", "--json").summary["profiles"]
            assert [one["name"] for one in listed if one["in_use"]] == ["desk"]
            assert [one["name"] for one in listed if one["simulated"]] == ["demo"]
            connected = quarterdeck(tmp_path, "connect", "--json")
            assert connected.code == 0, connected.err
            assert connected.summary["endpoint"] == f"127.0.0.1:{gateway.port}"
            assert connected.summary["client_id"] == 5

        await asyncio.to_thread(type_it)


def test_what_is_wrong_ends_with_2_and_the_line(tmp_path: Path) -> None:
    taken = quarterdeck(tmp_path, "profile", "add", "demo")
    assert taken.code == 2
    assert "1. change it: quarterdeck profile edit demo" in taken.err
    (tmp_path / "settings.toml").write_text('[profiles.mine]\nhost = "x"\nport = "many"\n')
    ended = quarterdeck(tmp_path, "profile", "list")
    assert ended.code == 2
    assert "line 3: profiles.mine.port" in ended.err


async def test_search_lists_contracts_with_ids_that_commands_understand(tmp_path: Path) -> None:
    async with SimulatedGateway() as gateway:
        shell = Shell(tmp_path, gateway.port)
        found = await asyncio.to_thread(shell.run, "search", "app", "--json")
        nothing = await asyncio.to_thread(shell.run, "search", "zzzz")
        futures = await asyncio.to_thread(shell.run, "search", "ES", "--json")
    assert found.code == 0, found.err
    match = found.summary["matches"][0]
    assert (match["symbol"], match["exchange"], match["con_id"]) == ("AAPL", "NASDAQ", 265598)
    of_es = [one["sec_type"] for one in futures.summary["matches"] if one["symbol"] == "ES"]
    assert of_es == ["IND", "CONTFUT"]
    assert (nothing.code, "knows nothing like 'zzzz'" in nothing.out) == (0, True)
