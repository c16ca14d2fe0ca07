"""The program's entry: global options, then the dashboard or a command; what an error ends with.

The dashboard's first paint does not wait for the commands: they, and the library that parses
them, are imported when one is called.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
from pathlib import Path
from typing import NoReturn

from catalog.errors import QuarterdeckError, WrongInput
from core.options import Options
from tui.ending import CANCELLED
from tui.output import Output


def main() -> None:
    """Run the dashboard or a command, and end with its exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the dashboard or a command; gives its exit code. What went wrong is printed."""
    output = Output(as_json="--json" in arguments)
    try:
        code = _run(arguments, output)
    except KeyboardInterrupt:
        output.line("cancelled")
        code = CANCELLED
    except BrokenPipeError:
        # Whoever read our output has gone: Python must not try to flush it at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except QuarterdeckError as error:
        output.error(error)
        code = error.exit_code
    output.end(code)
    return code


def _run(arguments: list[str], output: Output) -> int:
    known, rest = global_options().parse_known_args(arguments)
    options = Options(
        known.profile,
        known.catalog,
        known.home,
        known.host,
        known.port,
        known.client_id,
        low_bandwidth=known.low_bandwidth,
    )
    try:
        if rest:
            from tui.commands.app import run_command

            return run_command(rest, options, output)
        gc.disable()  # until the first paint: what is made for it stays
        # Textual reads it when it is imported. At its 60 a key that comes soon after another one
        # waits twice as long for its paint; where nothing changes nothing is drawn at any rate.
        os.environ.setdefault("TEXTUAL_FPS", "120")
        from tui.commands.dashboard import run_dashboard

        return run_dashboard(options)
    except (QuarterdeckError, BrokenPipeError):
        raise
    except Exception as error:
        raise _unforeseen(error, options) from error


def _unforeseen(error: Exception, options: Options) -> QuarterdeckError:
    """What is told of a flaw of ours; its traceback goes to the log file."""
    from core.settings import Home
    from tui.logfile import log_to

    home = Home.find(options.home)
    home.create()
    file = log_to(home.logs)
    logging.getLogger(__name__).error("unforeseen", exc_info=error)
    return QuarterdeckError(
        "Something went wrong that should not have",
        f"{type(error).__name__}: {error}",
        f"read the details in {file}",
        "report them, with the command you typed",
    )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise WrongInput(
            "The command cannot be understood", message, "read `quarterdeck --help`"
        ) from None


def global_options() -> argparse.ArgumentParser:
    """The options that may stand before or after any command."""
    parser = _Parser(
        prog="quarterdeck", add_help=False, allow_abbrev=False, usage=argparse.SUPPRESS
    )
    group = parser.add_argument_group("Global options, before or after a command")
    group.add_argument("--profile", metavar="NAME", help="the gateway, by its name in the settings")
    group.add_argument("--catalog", metavar="PATH", type=Path, help="the catalog's folder")
    group.add_argument(
        "--home",
        metavar="PATH",
        type=Path,
        help="one folder for settings, state and data (or QUARTERDECK_HOME)",
    )
    group.add_argument("--host", help="the gateway's host")
    group.add_argument("--port", type=int, help="the gateway's port")
    group.add_argument("--client-id", type=int, metavar="N", help="the API client id to use")
    group.add_argument(
        "--low-bandwidth",
        action="store_true",
        help="the dashboard writes as little to the terminal as it can",
    )
    group.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser
