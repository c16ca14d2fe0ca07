"""Numbers of things in words."""

from __future__ import annotations


def counted(number: int, thing: str) -> str:
    """`1 file`, `1,200 files`; for things whose plural ends in s."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
