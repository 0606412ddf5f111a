"""Which brokers could be asked: what is configured, what is missing, and who answers. Never a secret."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from attribution.app.sheet import InputError
from attribution.app.vendors import REDIS_VARIABLE, REPLAY, VENDORS, is_installed, open_broker, open_redis

if TYPE_CHECKING:
    from brokers.base import Health

__all__ = ["PATIENCE", "Standing", "check", "standings", "standings_table"]

PATIENCE = 20.0
"""How long the answers to a check are waited for, all together. [seconds]"""


@dataclass(frozen=True, slots=True)
class Standing:
    """A broker, and whether it could be asked."""

    name: str
    page: str
    missing: tuple[str, ...] = ()
    """Variables that are not set."""
    install: str = ""
    """The extra that is not installed."""
    healthy: bool | None = None
    """What a check found; None: not checked."""
    detail: str = ""

    @property
    def configured(self) -> bool:
        """Whether every variable that it needs is set."""
        return not self.missing

    @property
    def state(self) -> str:
        """One or two words."""
        if self.missing:
            return "not configured"
        if self.healthy is None:
            return "not installed" if self.install else "configured"
        return "ok" if self.healthy else "unhealthy"


def standings(environ: Mapping[str, str]) -> list[Standing]:
    """Return the standing of every broker that is reached with variables of the environment; nobody is asked."""
    found = [
        Standing(one.name, one.page, tuple(one.missing(environ)), "" if one.installed() else one.extra)
        for one in VENDORS.values()
    ]
    missing = () if environ.get(REDIS_VARIABLE, "").strip() else (REDIS_VARIABLE,)
    return [*found, Standing("redis", "docs/brokers/redis.md", missing, "" if is_installed("redis") else "redis")]


def check(found: Sequence[Standing], environ: Mapping[str, str], patience: float = PATIENCE) -> list[Standing]:
    """Ask every configured broker for its health, side by side; none keeps the others waiting beyond ``patience``."""
    answers: dict[str, Standing] = {}
    # Threads that nobody waits for: a server that never answers must not keep the program from ending.
    running = [
        threading.Thread(target=lambda one=one: answers.update({one.name: _asked(one, environ)}), daemon=True)
        for one in found
        if one.configured
    ]
    for thread in running:
        thread.start()
    until = time.monotonic() + patience
    for thread in running:
        thread.join(max(0.0, until - time.monotonic()))
    late = f"no answer within {patience:g} s"
    return [answers.get(one.name, replace(one, healthy=False, detail=late)) if one.configured else one for one in found]


def _asked(standing: Standing, environ: Mapping[str, str]) -> Standing:
    try:
        broker = open_redis("env", environ) if standing.name == "redis" else open_broker(standing.name, environ)
        try:
            health: Health = broker.health()
        finally:
            getattr(broker, "close", lambda: None)()
    except InputError as exc:
        return replace(standing, healthy=False, detail=str(exc))
    except Exception as exc:  # noqa: BLE001 - a fault of one adapter must not hide the others; its text may hold anything
        return replace(standing, healthy=False, detail=f"{type(exc).__name__}: this is a fault of the adapter")
    return replace(standing, healthy=health.reachable and health.session_valid, detail=_detail(health))


def _detail(health: Health) -> str:
    if not health.reachable:
        state = "not reachable"
    elif not health.session_valid:
        state = "no valid session"
    else:
        state = ""
    needed = f"needs {', '.join(health.missing)}" if health.missing else ""
    return "; ".join(part for part in (state, needed, health.detail) if part)


def standings_table(found: Sequence[Standing]) -> Table:
    """Draw them."""
    table = Table(box=None, pad_edge=False)
    for column in ("broker", "state"):
        table.add_column(column, no_wrap=True)
    table.add_column("what is missing, or what it says", overflow="fold")
    table.add_column("documentation", no_wrap=True)
    for one in found:
        lacking = [f"set {', '.join(one.missing)}"] if one.missing else []
        lacking += [f"pip install 'options-attribution[{one.install}]'"] if one.install else []
        told = "; ".join([*lacking, one.detail] if one.detail else lacking)
        table.add_row(one.name, one.state, Text(told), one.page)  # Text: square brackets are no markup here
    table.add_row(f"{REPLAY}:FOLDER", "ready", "", f"docs/brokers/{REPLAY}.md")
    return table
