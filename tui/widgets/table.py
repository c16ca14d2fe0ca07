"""How texts fit into the columns of a table."""

from __future__ import annotations


def cut_in_the_middle(text: str, width: int) -> str:
    """The text in at most `width` cells, without its middle: both ends of an id tell apart."""
    if len(text) <= width:
        return text
    tail = (width - 1) // 2
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"
