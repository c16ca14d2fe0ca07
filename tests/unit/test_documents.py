"""What the documents say is what the program does."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from core.settings import Settings

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "commands.md"


def test_the_reference_names_all_commands_and_options_there_are(tmp_path: Path) -> None:
    fresh = tmp_path / "commands.md"
    subprocess.run(
        [
            *(sys.executable, "-m", "typer", "tui.commands.app", "utils", "docs"),
            *("--name", "quarterdeck", "--output", str(fresh)),
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    assert fresh.read_text() == REFERENCE.read_text(), "write it anew, as CONTRIBUTING.md says"


def test_every_code_the_program_knows_has_a_line_in_the_guide() -> None:
    table = tomllib.loads((ROOT / "core" / "ibkr" / "errors.toml").read_text())
    codes = {entry["code"] for kind in table.values() for entry in kind}
    guide = (ROOT / "docs" / "guide-troubleshooting.md").read_text()
    told = {int(code) for code in re.findall(r"^\| (\d+)", guide, re.MULTILINE)}
    assert codes <= told


def test_the_settings_in_the_guide_are_settings() -> None:
    guide = (ROOT / "docs" / "guide.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", guide, re.DOTALL)
    settings = Settings.parse(example, Path("settings.toml"))
    assert settings.watchlists["megacaps"] and settings.profiles["office"].port == 4002
