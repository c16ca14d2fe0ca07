"""What scenarios begin with: a catalog that holds an instrument, a desk to fetch at."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.store import Catalog
from tests.gateway_process import gateway_process
from tests.scenarios.catalog_samples import AAPL, definition
from tests.scenarios.fetch_desk import closed_port as closed_port
from tests.scenarios.fetch_desk import desk as desk
from tests.scenarios.fetch_desk import gateway as gateway
from tests.scenarios.fetch_desk import mortal as mortal


@pytest.fixture(scope="session")
def only_aapl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a catalog with the AAPL instrument and nothing else."""
    root = tmp_path_factory.mktemp("only-aapl") / "catalog"
    catalog = Catalog.open(root)
    catalog.store_instrument(definition(AAPL), origin="simulated")
    catalog.close()
    return root


@pytest.fixture
def aapl(only_aapl: Path, tmp_path: Path) -> Catalog:
    """A catalog of its own with the AAPL instrument and nothing else."""
    root = tmp_path / "aapl"
    shutil.copytree(only_aapl, root)
    return Catalog.open(root)


@pytest.fixture(scope="module")
def gateway_port() -> Iterator[int]:
    """The port of a gateway in a process of its own, whose clock goes."""
    with gateway_process() as (port, _):
        yield port
