"""Where the things of one user are kept. Light: asked before the first paint."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

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
        import platformdirs

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

    @property
    def strategies(self) -> Path:
        """Where strategies of the user's lie without any setting."""
        return self.settings_file.parent / "strategies"

    @property
    def presets_file(self) -> Path:
        """Parameters of strategies and whole runs that were saved by name."""
        return self.settings_file.parent / "presets.toml"

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
