"""A strategy to begin with, and its test, written into a folder of the user's."""

from __future__ import annotations

import sys
from importlib import resources
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from string import Template

from catalog.errors import WrongInput
from core.strategies.shipped import STRATEGIES


def write_template(name: str, folder: Path) -> tuple[Path, Path]:
    """Write `name.py` and `test_name.py`; gives their paths.

    Raises `WrongInput` when the name is no name of a module, is taken, or a file is there already.
    """
    _refuse_name(name)
    words = [word for word in name.split("_") if word]
    values = {
        "name": name,
        "class_name": "".join(word.capitalize() for word in words),
        "title": " ".join(words).capitalize(),
    }
    files = folder / f"{name}.py", folder / f"test_{name}.py"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, template in zip(files, ("strategy.txt", "test.txt"), strict=True):
            with file.open("x", encoding="utf-8") as new:
                new.write(Template(_text(template)).substitute(values))
    except OSError as error:
        raise WrongInput(
            f"{name} cannot be written",
            f"{error.filename}: {error.strerror}",
            "choose another name, or another folder with --folder",
        ) from error
    return files


def _text(template: str) -> str:
    return (resources.files("core.strategies") / "templates" / template).read_text()


def _refuse_name(name: str) -> None:
    if not name.isidentifier() or iskeyword(name) or name != name.lower() or name.startswith("_"):
        raise WrongInput(
            f"'{name}' cannot name a strategy",
            "a name has small letters, digits and underscores, and begins with a letter",
            "write for example: quarterdeck strategy new my_breakout",
        )
    if name in STRATEGIES or name in sys.stdlib_module_names or find_spec(name) is not None:
        raise WrongInput(
            f"'{name}' is taken",
            "a strategy or another module of this name is there already",
            "choose another name",
        )
