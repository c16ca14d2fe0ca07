"""What clients asked, kept in order so that a test can say what was never asked."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Request:
    """One request of a client.

    ``kind`` is start_api, one of the requests in ``faults.REQUESTS`` or cancel_historical_bars;
    ``fields`` has what was asked by name: ``con_id``, ``symbol``, ``exchange``, ``end``,
    ``duration``, ``bar_size``, ``what``, ``regular``, ``id`` and the like. Account and keep-alive
    messages (current_time too) are not kept.
    """

    kind: str
    fields: Mapping[str, object]
