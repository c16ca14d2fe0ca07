"""`quarterdeck profile`: the gateways in the settings file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tui.commands.invocation import Invocation

if TYPE_CHECKING:
    from core.settings import Home, Profile

app = typer.Typer(
    help="The gateways by name: list, add, edit, remove, use. "
    "Their --host, --port, --client-id and --catalog are the global options.",
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(help="The profile's name.")]
Live = Annotated[
    bool | None, typer.Option("--live/--paper", help="A live account wears the warning colour.")
]
Seconds = Annotated[
    float | None, typer.Option("--timeout", help="Seconds the gateway has for the handshake.")
]


@app.command("list")
def list_profiles(context: typer.Context) -> None:
    """List the profiles; the marked one is taken where none is named."""
    from core.settings import Settings

    invocation: Invocation = context.obj
    home = _home(invocation)
    settings = Settings.load(home.settings_file)
    records = [
        _record(one, home) | {"in_use": one.name == settings.profile}
        for one in settings.profiles.values()
    ]
    invocation.output.table(
        {
            "": False,
            "profile": False,
            "endpoint": False,
            "client id": True,
            "kind": False,
            "catalog": False,
        },
        (
            (
                "*" if record["in_use"] else "",
                str(record["name"]),
                f"{record['host']}:{record['port']}",
                "any" if record["client_id"] is None else str(record["client_id"]),
                "simulated" if record["simulated"] else "LIVE" if record["live"] else "paper",
                str(record["catalog"]),
            )
            for record in records
        ),
    )
    invocation.output.summary(settings=str(home.settings_file), profiles=records)


@app.command()
def add(context: typer.Context, name: Name, live: Live = None, timeout: Seconds = None) -> None:
    """Make a profile, such as: profile add work --host 10.0.0.5 --port 4001 --live."""
    from core.profiles import add_profile

    invocation: Invocation = context.obj
    home = _home(invocation)
    values = _values(invocation, live, timeout)
    _tell(invocation, home, add_profile(home.settings_file, name, values), "made")


@app.command()
def edit(context: typer.Context, name: Name, live: Live = None, timeout: Seconds = None) -> None:
    """Change what is given of a profile, and leave the rest."""
    from core.profiles import edit_profile

    invocation: Invocation = context.obj
    home = _home(invocation)
    given = {
        key: value for key, value in _values(invocation, live, timeout).items() if value is not None
    }
    _tell(invocation, home, edit_profile(home.settings_file, name, given), "changed")


@app.command()
def remove(context: typer.Context, name: Name) -> None:
    """Remove a profile; a built-in one that was changed is as it was again."""
    from core.profiles import remove_profile

    invocation: Invocation = context.obj
    gone = remove_profile(_home(invocation).settings_file, name)
    invocation.output.line(f"{name} is {'removed' if gone else 'as it was built in again'}")
    invocation.output.summary(name=name, removed=gone)


@app.command()
def use(context: typer.Context, name: Name) -> None:
    """Take this profile from now on where none is named."""
    from core.profiles import use_profile

    invocation: Invocation = context.obj
    home = _home(invocation)
    _tell(invocation, home, use_profile(home.settings_file, name), "in use from now on")


def _home(invocation: Invocation) -> Home:
    from core.settings import Home

    return Home.find(invocation.options.home)


def _values(invocation: Invocation, live: bool | None, timeout: float | None) -> dict[str, object]:
    given = invocation.options
    return {
        "host": given.host,
        "port": given.port,
        "client_id": given.client_id,
        "catalog": given.catalog.expanduser().absolute() if given.catalog else None,
        "live": live,
        "timeout": timeout,
    }


def _tell(invocation: Invocation, home: Home, profile: Profile, done: str) -> None:
    invocation.output.line(f"{profile.name} ({profile.host}:{profile.port}) is {done}")
    invocation.output.summary(**_record(profile, home))


def _record(profile: Profile, home: Home) -> dict[str, object]:
    return profile.model_dump() | {"catalog": str(profile.catalog_root(home))}
