"""The end of the program, which comes in time."""

from __future__ import annotations

import os
import threading

CANCELLED = 130
"""The exit code of what a person or a signal ended."""


LATEST_S = 10.0


def end_in_time(code: int) -> None:
    """Have the process end with this code in 10 s, if it has not ended by itself.

    Python waits for threads that read or write, and nothing ends those. What they are torn out of
    is what a kill tears them out of: catalog, ledger and stored runs stay whole.
    """
    end = threading.Timer(LATEST_S, os._exit, (code,))
    end.daemon = True
    end.start()
