"""Folders and profiles: where things are kept, and which gateway is talked to.

Profiles come from the settings file (`settings.toml`), over the ones that are built in.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from catalog.errors import WrongInput


@dataclass(frozen=True, slots=True)
class Home:
    """The folders of one user. `QUARTERDECK_HOME` or `--home` puts all of them in one place."""

    settings_file: Path
    state: Path
    data: Path

    @classmethod
    def find(cls, path: Path | None = None) -> Home:
        """The home at `path`, else at `QUARTERDECK_HOME`, else the platform's usual folders."""
        named = path or (Path(home) if (home := os.environ.get("QUARTERDECK_HOME")) else None)
        if named is not None:
            root = named.expanduser().absolute()
            return cls(root / "settings.toml", root / "state", root)
        folders = platformdirs.PlatformDirs("quarterdeck", appauthor=False)
        return cls(
            folders.user_config_path / "settings.toml",
            folders.user_state_path,
            folders.user_data_path,
        )

    @property
    def logs(self) -> Path:
        """Where log files go."""
        return self.state / "logs"

    def create(self) -> None:
        """Make the folders that are written to.

        Raises `WrongInput` when one of them cannot be made.
        """
        for folder in (self.data, self.logs):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise WrongInput(
                    "The home folder cannot be used",
                    f"{folder}: {error.strerror}",
                    "name another folder with --home PATH or QUARTERDECK_HOME",
                ) from error


class Profile(BaseModel):
    """One gateway and the catalog its data goes to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = ""
    host: str = "127.0.0.1"
    port: int = Field(default=4002, ge=1, le=65_535)
    client_id: int | None = Field(default=None, ge=0, le=2_147_483_647)
    """None: the first free one of 1 to 9."""
    timeout: float = Field(default=5.0, gt=0, le=120)
    """Seconds the gateway has for the handshake."""
    live: bool = False
    """A live account: worn in the warning colour."""
    simulated: bool = False
    """The gateway is our simulator, started and ended with the program."""
    catalog: Path | None = None
    """None: the default catalog of the home folder, each kind of data in its own."""

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


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user chose. Everything has a default: a missing file is no error."""

    profile: str = DEFAULT_PROFILE
    profiles: dict[str, Profile] = field(default_factory=lambda: dict(BUILT_IN))
    watchlists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Lists of ids by name, for `@name`."""
    on_job_end: str = ""
    """A command of the user's, run by the shell when a fetch or an update has ended."""
    strategy_folders: tuple[Path, ...] = ()
    """Where the user's own strategies lie; relative ones are below the settings file's folder."""

    @classmethod
    def load(cls, file: Path) -> Settings:
        """Read the settings file.

        Raises `WrongInput`, naming the file and the key, when it cannot be understood.
        """
        try:
            table = tomllib.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return cls()
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise WrongInput(
                "The settings cannot be read", f"{file}: {error}", "correct or remove the file"
            ) from error
        unknown = table.keys() - {
            "profile",
            "profiles",
            "watchlists",
            "on_job_end",
            "strategy_folders",
        }
        if unknown:
            raise _bad_settings(file, f"'{min(unknown)}' is not a setting")
        profiles = dict(BUILT_IN)
        for name, fields in table.get("profiles", {}).items():
            profiles[name] = _profile(file, name, profiles.get(name), fields)
        return cls(
            table.get("profile", DEFAULT_PROFILE),
            profiles,
            _watchlists(file, table.get("watchlists", {})),
            _text(file, "on_job_end", table.get("on_job_end", "")),
            _folders(file, "strategy_folders", table.get("strategy_folders", [])),
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
            problem["msg"],
            f"give --{option} another value",
        ) from error


def _profile(file: Path, name: str, known: Profile | None, fields: object) -> Profile:
    if not isinstance(fields, dict):
        raise _bad_settings(file, f"profiles.{name} is not a table")
    base = known.model_dump() if known else {}
    try:
        return Profile.model_validate(base | fields | {"name": name})
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in ("profiles", name, *problem["loc"]))
        raise _bad_settings(file, f"{key}: {problem['msg']}") from error


def _watchlists(file: Path, table: object) -> dict[str, tuple[str, ...]]:
    if not isinstance(table, dict):
        raise _bad_settings(file, "watchlists is not a table")
    for name, ids in table.items():
        if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
            raise _bad_settings(file, f"watchlists.{name} is not a list of ids")
    return {name: tuple(ids) for name, ids in table.items()}


def _folders(file: Path, key: str, value: object) -> tuple[Path, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _bad_settings(file, f"{key} is not a list of folders")
    return tuple(file.parent / Path(one).expanduser() for one in value)


def _text(file: Path, key: str, value: object) -> str:
    if not isinstance(value, str):
        raise _bad_settings(file, f"{key} is not a text")
    return value


def _bad_settings(file: Path, reason: str) -> WrongInput:
    return WrongInput("The settings cannot be used", f"{file}: {reason}", "correct that line")
