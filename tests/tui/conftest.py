"""A simulated gateway and the dashboard on it, for the tests of the screens."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.gateway_process import gateway_process

NOW = datetime(2026, 3, 4, 15, 41, tzinfo=UTC)
"""A Wednesday, 10:41 in New York: the middle of a session."""


@pytest.fixture(scope="session")
def gateway_port() -> Iterator[int]:
    """The port of a simulated gateway for all tests."""
    with gateway_process(NOW) as (port, _):
        yield port
