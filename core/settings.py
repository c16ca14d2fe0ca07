"""What the user chose: gateways, watchlists, preferences. Read from `settings.toml`, checked here,
changed by `core.profiles`. Its profiles lie over the ones that are built in.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from catalog.errors import WrongInput
from core.backtest.fees import fee_rule
from core.home import Home as Home


class Profile(BaseModel):
    """One gateway and the catalog its data goes to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = ""
    host: str = "127.0.0.1"
    port: int = Field(default=4002, ge=1, le=65_535)
    client_id: int | None = Field(default=None, ge=0, le=2_147_483_647)
    """None: the first free one of 1 to 10."""
    timeout: float = Field(default=5.0, gt=0, le=120)
    """Seconds the gateway has for the handshake."""
    live: bool = False
    """A live account: worn in the warning colour."""
    simulated: bool = False
    """The gateway is our simulator, started and ended with the program."""
    catalog: Path | None = None
    """None: the default catalog of the home folder, each kind of data in its own."""

    @field_validator("host")
    @classmethod
    def _is_a_host(cls, host: str) -> str:
        if not re.fullmatch(r"[^\s:/]+|(?=.*:.*:)[0-9A-Fa-f:.]+(%\w+)?", host):
            raise ValueError("a host is a name or an address, such as 127.0.0.1, without its port")
        return host

    def catalog_root(self, home: Home) -> Path:
        """Where this profile's catalog lies."""
        if self.catalog is not None:
            return self.catalog.expanduser().absolute()
        return (home.data / "demo" if self.simulated else home.data) / "catalog"

    def runs_folder(self, home: Home) -> Path:
        """Where the results of backtests are kept; those on simulated data apart."""
        return (home.data / "demo" if self.simulated else home.data) / "runs"


BUILT_IN = {
    "paper-gateway": Profile(name="paper-gateway", port=4002),
    "live-gateway": Profile(name="live-gateway", port=4001, live=True),
    "paper-tws": Profile(name="paper-tws", port=7497),
    "live-tws": Profile(name="live-tws", port=7496, live=True),
    "demo": Profile(name="demo", port=4010, simulated=True),
}
DEFAULT_PROFILE = "paper-gateway"


class Settings(BaseModel):
    """Everything has a default: a missing file is no error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    profile: str = DEFAULT_PROFILE
    """The gateway that is taken where none is named."""
    profiles: dict[str, Profile] = BUILT_IN
    watchlists: dict[str, tuple[str, ...]] = {}
    """Lists of ids by name, for `@name`."""
    on_job_end: str = ""
    """A command of the user's, run by the shell when a fetch or an update has ended."""
    bell: bool = True
    """Ring the terminal when a job ends that took over ten seconds, or is not in sight."""
    theme: str = "quarterdeck"
    """The colours of the dashboard: quarterdeck, quarterdeck-light, or one of Textual's."""
    zone: str = "America/New_York"
    """The time zone of what has no exchange of its own: clock, log, jobs."""
    charts: Literal["auto", "blocks", "ascii"] = "auto"
    """What charts and signs are made of; auto is ascii on the console of Linux alone."""
    fees: str = "ibkr_fixed"
    """What a new backtest costs: ibkr_fixed, zero, per_contract:AMOUNT, or module:Class."""
    workers: int | None = Field(default=None, ge=1, le=256)
    """How many runs of a sweep go side by side; None: one for each processor."""
    run_memory_gb: float = Field(default=4, gt=0)
    """What one run may hold in memory beyond what it begins with."""
    run_silence_s: float = Field(default=120, ge=1)
    """How long a strategy may keep a run from going on before it counts as an endless loop."""
    low_bandwidth: bool = False
    """Write to the terminal as little as `--low-bandwidth` does."""
    keys: dict[str, str] = {}
    """Other keys, by the name the settings screen gives each: "catalog.fetch" = "ctrl+f"."""
    strategy_folders: tuple[Path, ...] = ()
    """Where more strategies of the user's lie; relative ones are below the settings' folder."""

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read the settings file.

        Raises `WrongInput`, naming file, line and key, when it cannot be understood.
        """
        try:
            return cls.parse(file.read_text(encoding="utf-8"), file)
        except FileNotFoundError:
            return cls()
        except (OSError, UnicodeDecodeError) as error:
            raise _unreadable(file, error) from error

    @classmethod
    def parse(cls, text: str, file: Path) -> Self:
        """The settings in a text that is, or is going to be, the content of `file`.

        Raises as `load`.
        """
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:  # it names the line
            raise _unreadable(file, error) from error
        try:
            return cls.model_validate(table, context=file.parent)
        except ValidationError as error:
            problem = error.errors()[0]
            keys = tuple(map(str, problem["loc"]))
            reason = problem["msg"].removeprefix("Value error, ")
            if problem["type"] == "extra_forbidden":
                reason = f"there is no setting '{keys[-1]}'"
            raise unfit(file, text, keys, reason) from error

    @field_validator("profiles", mode="before")
    @classmethod
    def _over_the_built_in(cls, table: Any) -> Any:
        if not isinstance(table, dict):
            return table
        known = {name: profile.model_dump() for name, profile in BUILT_IN.items()}
        return known | {
            name: known.get(name, {}) | fields | {"name": name}
            if isinstance(fields, dict)
            else fields
            for name, fields in table.items()
        }

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, OSError, ValueError):
            raise ValueError(f"there is no time zone '{zone}'") from None
        return zone

    @field_validator("fees")
    @classmethod
    def _are_fees(cls, fees: str) -> str:
        try:
            fee_rule(fees)
        except WrongInput as error:
            raise ValueError(f"{error.title}: {error.reason}") from error
        return fees

    @field_validator("strategy_folders")
    @classmethod
    def _below_the_file(cls, folders: tuple[Path, ...], info: ValidationInfo) -> tuple[Path, ...]:
        return tuple(
            info.context / folder.expanduser() if info.context else folder for folder in folders
        )

    def choose(self, name: str | None) -> Profile:
        """The profile of that name, or the one in use.

        Raises `WrongInput` when there is none of that name.
        """
        wanted = name or self.profile
        if wanted not in self.profiles:
            raise WrongInput(
                f"There is no profile '{wanted}'",
                f"known profiles are {', '.join(self.profiles)}",
                "choose one of them with --profile NAME",
            )
        return self.profiles[wanted]


def adapted(profile: Profile, **changes: object) -> Profile:
    """The profile with what was given on the command line in place of its own values.

    Raises `WrongInput` when a value does not fit, such as a port out of range.
    """
    given = {key: value for key, value in changes.items() if value is not None}
    try:
        return Profile.model_validate(profile.model_dump() | given)
    except ValidationError as error:
        problem = error.errors()[0]
        option = str(problem["loc"][0]).replace("_", "-")
        raise WrongInput(
            f"--{option} cannot be {problem['input']}",
            problem["msg"].removeprefix("Value error, "),
            f"give --{option} another value",
        ) from error


def unfit(file: Path, text: str, keys: Sequence[str], reason: str) -> WrongInput:
    """Tells what is wrong with a setting in a text that is the content of `file`, with its line."""
    line = line_of(text, keys)
    where = f"{file}, line {line}" if line else str(file)
    return WrongInput(
        "The settings cannot be used", f"{where}: {'.'.join(keys)}: {reason}", "correct that line"
    )


_HEADER = re.compile(r"\s*\[\[?([^\[\]]+)\]")
_SETTING = re.compile(r"\s*([^#=\[\]]+?)\s*=")


def line_of(text: str, keys: Sequence[str]) -> int | None:
    """The line of a TOML text that sets a key, else the one that comes closest to it; counted
    from 1. (The parsers tell no lines of what they have understood.)
    """
    table: list[str] = []
    best, found = 0, None
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            here = table = _parts(header[1])
        elif setting := _SETTING.match(line):
            here = table + _parts(setting[1])
        else:
            continue
        if here == list(keys[: len(here)]) and len(here) > best:
            best, found = len(here), number
    return found


def _parts(dotted: str) -> list[str]:
    """The keys of a dotted one, quoted or not; none where it is none."""
    try:
        table = tomllib.loads(f"{dotted} = 0")
    except tomllib.TOMLDecodeError:
        return []
    parts: list[str] = []
    while isinstance(table, dict):
        (part, table), *_ = table.items()
        parts.append(part)
    return parts


def _unreadable(file: Path, error: Exception) -> WrongInput:
    return WrongInput(
        "The settings cannot be read", f"{file}: {error}", "correct or remove the file"
    )
