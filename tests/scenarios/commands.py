"""Running the program as its user does, as a process of its own, and reading what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = Path(sys.executable).with_name("quarterdeck")
PATIENCE_S = 60


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """The objects of a `--json` stream."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def summary(self) -> dict[str, Any]:
        """The last object of a `--json` stream."""
        last = self.records[-1]
        assert last["event"] == "summary", self.err
        return last

    def told(self, event: str) -> list[dict[str, Any]]:
        """The events of one kind in a `--json` stream."""
        return [record for record in self.records if record["event"] == event]


@dataclass(frozen=True, slots=True)
class Shell:
    """A user's shell: one home folder, one gateway port."""

    home: Path
    port: int

    def run(self, *arguments: str, **environment: str) -> Ended:
        """Run `quarterdeck` with these arguments."""
        done = subprocess.run(
            [PROGRAM, *arguments, "--home", str(self.home), "--port", str(self.port)],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            stdin=subprocess.DEVNULL,
            env=os.environ | environment,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr
        return Ended(done.returncode, done.stdout, done.stderr)
