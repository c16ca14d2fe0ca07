"""What was asked of each gateway lately, in one SQLite file that all processes share.

It outlives them: a program that is started again knows what the one before has used up.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import CatalogUnusable
from catalog.ledger_schema import on_network
from core.ibkr.pacing_rules import (
    Demand,
    Entry,
    earliest,
    margin_seconds,
    open_limit,
    open_rule,
    rules,
)

_SCHEMA_VERSION = 1
_SCHEMA = f"""
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS requests (
        ticket TEXT PRIMARY KEY, gateway TEXT, at REAL, sent INTEGER, request TEXT, series TEXT,
        small INTEGER, historical INTEGER, weight INTEGER, messages INTEGER, open_until REAL
    );
    CREATE INDEX IF NOT EXISTS requests_of_gateway ON requests (gateway);
    PRAGMA user_version = {_SCHEMA_VERSION};
    COMMIT;
"""
_BUSY_SECONDS = 30.0
_OPEN_POLL_S = 0.25
# A process that died leaves what it meant to send.
_PROMISES_KEPT_S = 60.0


@dataclass(frozen=True, slots=True)
class Wait:
    """Not yet: try again in `seconds`, because of a rule. `known` is whether it is free then; that
    somebody's request ends is not."""

    seconds: float
    rule: str
    known: bool = True


class Budget:
    """One connection, safe to use from several threads. All its methods touch the disk."""

    def __init__(self, file: Path, clock: Callable[[], float] = time.time) -> None:
        """Open or make the file; `clock` gives seconds since 1970, the same in all processes.

        Raises `CatalogUnusable` when that is not possible.
        """
        self._file = file
        self._clock = clock
        self._guard = threading.Lock()
        with self._told():
            self._connection = sqlite3.connect(
                file, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._prepare()

    def close(self) -> None:
        """Give the file back."""
        with self._guard:
            self._connection.close()

    def admit(self, gateway: str, ticket: str, demand: Demand, open_for: float) -> Wait | None:
        """Let a request through now (None), or promise it a moment; call again then.

        Promises are kept against requests that come later. A request that was let through is open
        until `release`, at most for `open_for` seconds.
        """
        with self._transaction() as now:
            sent, promised, mine = self._entries(gateway, ticket)
            # A promise that is due asks only what really was sent: those after it will see it.
            at, rule = earliest(demand, sent if mine else [*sent, *promised], now)
            if at > now and mine:
                at, rule = earliest(demand, [*sent, *promised], now)
            full = (
                at <= now and demand.historical and self._open(gateway, ticket, now) >= open_limit()
            )
            goes = at <= now and not full
            open_until = now + open_for if goes and demand.historical else 0.0
            self._write(gateway, ticket, Entry(at, demand), sent=goes, open_until=open_until)
        if full:
            return Wait(_OPEN_POLL_S, open_rule(), known=False)
        return Wait(at - now, rule.text) if rule is not None else None

    def release(self, ticket: str) -> None:
        """The request is answered or cancelled: it is not open any more."""
        with self._transaction():
            self._connection.execute(
                "UPDATE requests SET open_until = 0 WHERE ticket = ?", (ticket,)
            )

    def withdraw(self, ticket: str) -> None:
        """The request was not sent after all."""
        with self._transaction():
            self._connection.execute("DELETE FROM requests WHERE ticket = ?", (ticket,))

    def used(self, gateway: str) -> dict[str, int]:
        """How much of each rule is used up, by its name; of rules about single series or requests
        by the one with the most."""
        with self._transaction() as now:
            sent, _, _ = self._entries(gateway, "")
            used = {"open": self._open(gateway, "", now)}
        for rule in rules():
            lately = [
                entry.demand
                for entry in sent
                if rule.concerns(entry.demand) and entry.at > now - rule.seconds
            ]
            used[rule.name] = max(
                (sum(rule.count(two) for two in lately if rule.same(one, two)) for one in lately),
                default=0,
            )
        return used

    def _tidy(self, now: float) -> None:
        """Forget what no rule looks at any more. A clock that was set back must not make the past
        the future."""
        longest = {
            small: max(rule.seconds for rule in rules() if small or rule.applies == "any")
            + margin_seconds()
            for small in (True, False)
        }
        self._connection.execute("UPDATE requests SET at = ? WHERE sent AND at > ?", (now, now))
        self._connection.execute(
            "DELETE FROM requests WHERE sent AND open_until < ?"
            " AND at < ? - CASE WHEN small THEN ? ELSE ? END",
            (now, now, longest[True] + 1, longest[False] + 1),
        )
        self._connection.execute(
            "DELETE FROM requests WHERE NOT sent AND at < ?", (now - _PROMISES_KEPT_S,)
        )

    def _entries(self, gateway: str, ticket: str) -> tuple[list[Entry], list[Entry], bool]:
        """What was sent, what is promised to others, and whether there is a promise to `ticket`."""
        rows = self._connection.execute(
            "SELECT ticket, sent, at, request, series, small, historical, weight, messages"
            " FROM requests WHERE gateway = ?",
            (gateway,),
        ).fetchall()
        others = [row for row in rows if row[0] != ticket]
        sent, promised = (
            [
                Entry(at, Demand(request, series, bool(small), bool(historical), weight, messages))
                for _, was_sent, at, request, series, small, historical, weight, messages in others
                if bool(was_sent) is wanted
            ]
            for wanted in (True, False)
        )
        return sent, promised, len(others) < len(rows)

    def _write(
        self, gateway: str, ticket: str, entry: Entry, *, sent: bool, open_until: float
    ) -> None:
        asked = entry.demand
        self._connection.execute(
            "INSERT OR REPLACE INTO requests VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                ticket,
                gateway,
                entry.at,
                sent,
                asked.request,
                asked.series,
                asked.small,
                asked.historical,
                asked.weight,
                asked.messages,
                open_until,
            ),
        )

    def _open(self, gateway: str, ticket: str, now: float) -> int:
        (count,) = self._connection.execute(
            "SELECT COUNT(*) FROM requests WHERE gateway = ? AND ticket != ? AND open_until > ?",
            (gateway, ticket, now),
        ).fetchone()
        return int(count)

    def _prepare(self) -> None:
        # What is lost with the power is no loss; waiting for the disk at each request would be.
        mode = "TRUNCATE" if on_network(self._file) else "WAL"
        self._connection.execute(f"PRAGMA journal_mode = {mode}")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            self._connection.executescript(_SCHEMA)
        if version > _SCHEMA_VERSION:
            raise CatalogUnusable(
                f"the pacing budget {self._file} cannot be used",
                "a newer Quarterdeck wrote it",
                "update Quarterdeck, or remove the file: it only knows the last ten minutes",
            )

    @contextmanager
    def _transaction(self) -> Iterator[float]:
        """Alone with the file, tidied; gives the moment, which is later than in the one before."""
        with self._guard, self._told():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                now = self._clock()
                self._tidy(now)
                yield now
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise CatalogUnusable(
                f"the pacing budget {self._file} cannot be used",
                str(error),
                "look at the disk: is it full, is it there?",
                "remove the file: it only knows the last ten minutes",
            ) from error
