"""An attribute that is worked out once: no lock, so that neither threads nor forked processes wait for each other."""

from __future__ import annotations

import multiprocessing
import os
import threading
from pathlib import Path

import pytest

import attribution
from attribution.calendars import sessions
from attribution.once import once

WAIT = 10.0


class Slow:
    def __init__(self) -> None:
        self.asked = 0
        self.begun, self.go_on = threading.Event(), threading.Event()

    @once
    def answer(self) -> int:
        """What everybody wants to know."""
        self.asked += 1
        self.begun.set()
        assert self.go_on.wait(WAIT)
        return 42


def test_it_is_worked_out_once() -> None:
    slow = Slow()
    slow.go_on.set()
    assert (slow.answer, slow.answer, slow.asked) == (42, 42, 1)
    assert slow.__dict__["answer"] == 42
    assert Slow.answer.__doc__ == "What everybody wants to know."


def test_an_error_is_not_kept() -> None:
    class Broken:
        tries = 0

        @once
        def answer(self) -> int:
            self.tries += 1
            raise LookupError

    broken = Broken()
    for _ in range(2):
        with pytest.raises(LookupError):
            _ = broken.answer
    assert broken.tries == 2


def test_nobody_waits_for_another_instance() -> None:
    slow, quick = Slow(), Slow()
    quick.go_on.set()
    threads = [threading.Thread(target=lambda one=one: one.answer, daemon=True) for one in (slow, quick)]
    threads[0].start()
    assert slow.begun.wait(WAIT)
    threads[1].start()
    threads[1].join(WAIT)
    stuck = threads[1].is_alive()
    slow.go_on.set()
    threads[0].join(WAIT)
    assert not stuck


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_that_is_forked_while_a_calendar_is_built_builds_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on, build = threading.Event(), threading.Event(), sessions.build_table

    def slowly(venue: sessions.Venue) -> sessions.SessionTable:
        begun.set()
        assert go_on.wait(WAIT)
        return build(venue)

    monkeypatch.setattr(sessions, "build_table", slowly)
    calendar, other = (sessions.ExchangeCalendar(sessions.load_venue(name)) for name in ("BSE", "US"))
    thread = threading.Thread(target=lambda: calendar.table, daemon=True)
    thread.start()
    assert begun.wait(WAIT)
    monkeypatch.setattr(sessions, "build_table", build)
    child = multiprocessing.get_context("fork").Process(target=lambda: other.session_on("2025-01-27"))
    child.start()
    child.join(WAIT)
    code = child.exitcode
    child.kill()
    go_on.set()
    thread.join(WAIT)
    assert code == 0


def test_the_library_uses_no_other() -> None:
    (home,) = attribution.__path__
    texts = {path: path.read_text(encoding="utf-8") for path in Path(home).rglob("*.py") if path.name != "once.py"}
    assert [path for path, text in texts.items() if "cached_property" in text] == []
