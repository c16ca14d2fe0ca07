"""Real data beside the project, no part of it: tests that use it skip where it is absent."""

from pathlib import Path

SHARED = Path(__file__).resolve().parents[2] / "shared"
