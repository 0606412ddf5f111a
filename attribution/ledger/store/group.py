"""Threads that come together share one commit: a disk says only so many times a second that something will last."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from attribution.ledger.entry import Draft
from attribution.ledger.store.base import Plan

__all__ = ["GroupCommit", "Request"]


@dataclass(slots=True, eq=False)
class Request:
    """A batch that waits for its commit, and what came of it."""

    drafts: Sequence[Draft]
    plan: Plan | None = None


class GroupCommit:
    """One thread commits for all that wait; whoever comes meanwhile waits for the next commit.

    ``commit`` makes a plan for every request or raises; then only the thread that led has failed, and the others try
    for themselves.
    """

    def __init__(self, commit: Callable[[Sequence[Request]], None]) -> None:
        self._commit = commit
        self.renew()

    def renew(self) -> None:
        """Forget everybody who waits: in a forked child those threads do not exist."""
        self._turn = threading.Condition()
        self._leading = False
        self._waiting: list[Request] = []

    @property
    def waiting(self) -> int:
        """How many requests wait for a commit that has not begun."""
        return len(self._waiting)

    def submit(self, request: Request) -> Plan:
        """Return the request's plan once it is committed."""
        with self._turn:
            self._waiting.append(request)
        while True:
            with self._turn:
                self._turn.wait_for(lambda: request.plan is not None or not self._leading)
                if request.plan is not None:
                    return request.plan
                self._leading = True
                group, self._waiting = self._waiting, []
            self._lead(group, request)

    def _lead(self, group: list[Request], own: Request) -> None:
        try:
            self._commit(group)
        finally:
            with self._turn:
                self._leading = False
                self._waiting[:0] = [one for one in group if one.plan is None and one is not own]
                self._turn.notify_all()
