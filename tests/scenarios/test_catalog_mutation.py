"""A thousand small disasters: whatever happens to one file, it is told or it does not matter."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.checks import hours
from catalog.errors import DataUnavailable, QuarterdeckError
from catalog.health import CheckReport, check
from catalog.repair import plan, repair
from catalog.store import Catalog
from tests.scenarios.catalog_faults import NOW, make_sound
from tests.scenarios.catalog_samples import ES, START, bars, definition, store

SEED = 11
NORMAL, ALL = 100, 1_000


@pytest.fixture(autouse=True)
def no_calendars(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known of sessions is what the ledger says: this is about files."""

    def unknown(*_: object, **__: object) -> None:
        raise DataUnavailable("no calendar here")

    monkeypatch.setattr(hours.workers, "run_blocking", unknown)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stock minutes in two months and hours of a future, with both instruments."""
    root = tmp_path_factory.mktemp("sound") / "catalog"
    make_sound(root)
    catalog = Catalog.open(root)
    catalog.store_instrument(definition(ES), origin="simulated")
    store(catalog, ES, bars(ES, 40), (START, START + 40 * ES.spec.nanos), hours="all")
    catalog.add_alias("ES", "ESH4.CME", 495512563)
    catalog.close()
    return root


# Mutations: what they do to the files of a catalog


def flip_a_bit(files: list[Path], chance: random.Random) -> None:
    path = chance.choice(files)
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def cut_short(files: list[Path], chance: random.Random) -> None:
    path = chance.choice(files)
    content = path.read_bytes()
    path.write_bytes(content[: chance.randrange(len(content))])


def fill_with_zeros(files: list[Path], chance: random.Random) -> None:
    path = chance.choice(files)
    content = bytearray(path.read_bytes())
    start = chance.randrange(len(content))
    end = min(len(content), start + chance.randrange(1, 4096))
    content[start:end] = bytes(end - start)
    path.write_bytes(content)


def swap_two(files: list[Path], chance: random.Random) -> None:
    one, other = chance.sample(files, 2)
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def rename_one(files: list[Path], chance: random.Random) -> None:
    path = chance.choice(files)
    letters = list(path.name)
    letters[chance.randrange(len(letters))] = chance.choice("0123456789abcT-_.")
    target = path.with_name("".join(letters))
    if target.name not in (".", "..") and not target.exists():
        path.rename(target)


def write_over(files: list[Path], chance: random.Random) -> None:
    path = chance.choice(files)
    content = bytearray(path.read_bytes())
    start = chance.randrange(len(content))
    noise = chance.randbytes(min(64, len(content) - start))
    content[start : start + len(noise)] = noise
    path.write_bytes(content)


def repeat_a_part(files: list[Path], chance: random.Random) -> None:
    path = chance.choice(files)
    content = path.read_bytes()
    start, end = sorted(chance.sample(range(len(content)), 2))
    path.write_bytes(content[:end] + content[start:end] + content[end:])


MUTATIONS: list[Callable[[list[Path], random.Random], None]] = [
    flip_a_bit,
    flip_a_bit,
    cut_short,
    fill_with_zeros,
    swap_two,
    rename_one,
    write_over,
    repeat_a_part,
]


def values(root: Path) -> object:
    """All that the catalog says of bars, coverage and instruments; errors as they are told."""
    try:
        catalog = Catalog.open(root)
    except QuarterdeckError as error:
        return error.title
    said: list[object] = []
    for use in (
        lambda: [one.series for one in catalog.list_series()],
        lambda: [(one, catalog.instrument(one)) for one in catalog.instrument_ids()],
        lambda: [
            (catalog.read_bars(one.series), catalog.covered(one.series), catalog.hours(one.series))
            for one in catalog.list_series()
        ],
    ):
        try:
            said.append(use())
        except QuarterdeckError as error:
            said.append(error.title)
    catalog.close()
    return said


def mend(root: Path, found: CheckReport) -> CheckReport:
    """Repair as the command does: what one pass puts in its place, the next lays out."""
    for _ in range(3):
        if not (steps := plan(found.findings)):
            break
        repair(root, steps)
        found = check(root, now_ns=NOW, full=True)
    return found


def survive(sound: Path, folder: Path, count: int, seed: int) -> None:
    chance = random.Random(seed)
    true = values(sound)
    told = 0
    for number in range(count):
        root = folder / str(number)
        shutil.copytree(sound, root)
        files = [*sorted(root.rglob("*.parquet")), root / ".quarterdeck" / "ledger.sqlite"]
        mutate = chance.choice(MUTATIONS)
        mutate(files, chance)

        found = check(root, now_ns=NOW, full=True)
        read = values(root)

        if not found.findings:
            assert read == true, f"{mutate.__name__} number {number} changed values unseen"
        told += bool(found.findings)
        left = mend(root, found)
        assert not left.count("error"), (mutate.__name__, number, left.findings)
        shutil.rmtree(root)
    assert told > count / 2


def test_a_hundred_mutations_are_told_or_do_not_matter(sound: Path, tmp_path: Path) -> None:
    survive(sound, tmp_path, NORMAL, SEED)


@pytest.mark.endurance
@pytest.mark.timeout(1_800)
def test_a_thousand_mutations_are_told_or_do_not_matter(sound: Path, tmp_path: Path) -> None:
    survive(sound, tmp_path, ALL, SEED + 1)
