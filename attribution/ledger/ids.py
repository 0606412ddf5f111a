"""Client order ids: whose order it is, readable in the broker's own records.

The full form is ``{strategy}-{symbol}-{YYYYMMDDTHHMMSS}-{8 hex}-v{attempt}``. The time is the plan's and the hex digits
are of a SHA-256 over plan, item and attempt, so the same order has the same id in another process and on
another day, and can be sent again without being traded twice.

Hyphens may stand in a strategy (the id is read from its end) and are escaped in a symbol; what is no letter,
digit or one of ``. _ / +`` is written ``~`` and two hex digits. Where a broker's length or alphabet does not take the
full form, the *compact* form ``{8 of strategy}-{20 hex}`` is used, else the 20 hex digits alone; whose they are is then
told by the persisted intent. Nothing is ever cut short in silence.

Below the codec stand the few pure functions over the log's intents that make sending idempotent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from attribution.ledger.canonical import decimal_text, digest
from attribution.ledger.entry import Entry, Kind
from attribution.ledger.errors import ConflictError, InvalidRecordError
from attribution.ledger.record import HOUSE, require_name, require_symbol
from attribution.ledger.records import Intent

__all__ = [
    "DERIVED",
    "PROFILES",
    "BrokerProfile",
    "IdForm",
    "IssuedId",
    "OrderId",
    "cumulative_of",
    "derived_fill_id",
    "encode_order_id",
    "intents_of",
    "new_intents",
    "owner_of",
    "parse_order_id",
    "plan_id_of",
    "require_distinct",
    "to_submit",
]

DERIVED: Final = "cum:"
"""How the fill ids begin that are made of an order's cumulative quantity."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LEGACY: Final = "alch"
_FULL: Final = re.compile(
    r"(?P<strategy>.+)-(?P<symbol>[^-]+)-(?P<time>\d{8}T\d{6})-(?P<mark>[0-9a-f]{8})(?:-v(?P<attempt>[1-9]\d{0,8}))?",
    re.ASCII | re.DOTALL,
)
_COMPACT: Final = re.compile(r"(?P<prefix>[A-Za-z0-9]{1,8})-(?P<mark>[0-9a-f]{20})", re.ASCII)
_BARE: Final = re.compile(r"[0-9a-f]{20}", re.ASCII)
_ESCAPE: Final = re.compile(r"~([0-9A-F]{2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class BrokerProfile:
    """What a broker takes as a client order id: at most ``longest`` characters, all of ``alphabet`` (a regex)."""

    name: str
    longest: int
    alphabet: str = r"[\x21-\x7e]"

    def takes(self, text: str) -> bool:
        """Whether the broker takes this id."""
        return len(text) <= self.longest and re.fullmatch(f"(?:{self.alphabet})+", text) is not None


PROFILES: Final[Mapping[str, BrokerProfile]] = {
    profile.name: profile
    for profile in (
        BrokerProfile("alpaca", 48),
        BrokerProfile("kite", 20, "[A-Za-z0-9]"),
        BrokerProfile("okx", 32, "[A-Za-z0-9]"),
        BrokerProfile("betfair", 32, r"[A-Za-z0-9\-._+*:;~]"),
        BrokerProfile("unlimited", 1000),
    )
}
"""Brokers whose limits are known."""


class IdForm(StrEnum):
    """How much an id itself tells."""

    FULL = "full"
    COMPACT = "compact"
    BARE = "bare"
    LEGACY = "legacy"


@dataclass(frozen=True, slots=True)
class OrderId:
    """What a client order id says; what it does not say is None.

    ``strategy`` of a compact or bare id is told by :func:`owner_of`; ``mark`` are its hex digits.
    """

    text: str
    form: IdForm
    strategy: str | None = None
    symbol: str | None = None
    time: datetime | None = None
    mark: str | None = None
    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class IssuedId:
    """An id to send (``text``), the same in full, and the form that was sent."""

    text: str
    full: str
    form: IdForm


def encode_order_id(
    strategy: str,
    symbol: str,
    plan_id: str,
    item: str,
    plan_ts: int,
    *,
    attempt: int = 1,
    profile: BrokerProfile | str = "alpaca",
) -> IssuedId:
    """Return the id of one order of a plan.

    Parameters
    ----------
    strategy, symbol
        Whose order, and of what.
    plan_id, item, attempt
        Which order of which plan, and the how-manieth try of it (a new try is a new order).
    plan_ts
        The plan's time: nanoseconds since 1970-01-01 UTC.
    profile
        The broker's limits, by name or as they are.

    Raises
    ------
    InvalidRecordError
        A part is malformed, the profile is not known, or not even 20 hex digits fit it.
    """
    require_name("strategy", strategy)
    require_symbol("symbol", symbol)
    if strategy == _LEGACY or strategy.startswith(_LEGACY + "-"):
        raise InvalidRecordError("strategy", strategy, f"a name that is not {_LEGACY!r}, which marks ids of old")
    if type(attempt) is not int or not 1 <= attempt < 10**9:
        raise InvalidRecordError("attempt", attempt, "a whole number from 1")
    limits = _profile(profile)
    mark = digest([plan_id, item, attempt])
    time = (_EPOCH + timedelta(microseconds=plan_ts // 1000)).strftime("%Y%m%dT%H%M%S")
    full = f"{_escaped(strategy, '-')}-{_escaped(symbol)}-{time}-{mark[:8]}-v{attempt}"
    prefix = re.sub("[^A-Za-z0-9]", "", strategy)[:8] or "x"
    forms = ((IdForm.FULL, full), (IdForm.COMPACT, f"{prefix}-{mark[:20]}"), (IdForm.BARE, mark[:20]))
    for form, text in forms:
        if limits.takes(text):
            return IssuedId(text, full, form)
    raise InvalidRecordError("profile", limits.name, "a broker that takes ids of at least 20 hex digits")


def _profile(profile: BrokerProfile | str) -> BrokerProfile:
    if isinstance(profile, BrokerProfile):
        return profile
    if profile not in PROFILES:
        raise InvalidRecordError("profile", profile, "one of " + ", ".join(PROFILES))
    return PROFILES[profile]


def parse_order_id(text: object) -> OrderId | None:
    """Read a client order id; None for what is none of ours. Never an error: not all orders are ours."""
    if not isinstance(text, str):
        return None
    if text == _LEGACY or text.startswith(_LEGACY + "-"):
        return _parse_legacy(text)
    found = _FULL.fullmatch(text)
    if found is not None:
        return _read_full(text, found, IdForm.FULL)
    found = _COMPACT.fullmatch(text)
    if found is not None:
        return OrderId(text, IdForm.COMPACT, mark=found["mark"])
    return OrderId(text, IdForm.BARE, mark=text) if _BARE.fullmatch(text) else None


def _parse_legacy(text: str) -> OrderId:
    found = _FULL.fullmatch(text)
    read = _read_full(text, found, IdForm.LEGACY) if found is not None else None
    if read is None or read.strategy != _LEGACY:
        return OrderId(text, IdForm.LEGACY, strategy=HOUSE)
    return OrderId(text, IdForm.LEGACY, HOUSE, read.symbol, read.time, read.mark, read.attempt)


def _read_full(text: str, found: re.Match[str], form: IdForm) -> OrderId | None:
    try:
        time = datetime.strptime(found["time"], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
        strategy, symbol = _unescaped(found["strategy"]), _unescaped(found["symbol"])
    except ValueError:
        return None
    attempt = None if found["attempt"] is None else int(found["attempt"])
    return OrderId(text, form, strategy, symbol, time, found["mark"], attempt)


def _escaped(text: str, also: str = "") -> str:
    """Write what is not plain as ``~`` and two hex digits per byte."""
    plain = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/+" + also)
    return "".join(c if c in plain else "".join(f"~{byte:02X}" for byte in c.encode()) for c in text)


def _unescaped(text: str) -> str:
    """Undo :func:`_escaped`; raises ``ValueError`` for what it cannot have written."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text).encode("latin-1").decode()


# --- ids made of facts ------------------------------------------------------------------------------------------


def plan_id_of(inputs: Mapping[str, Any]) -> str:
    """Return the id of a plan: a digest of what it was made of, never of the clock.

    The same inputs are the same plan, and its orders the same orders; the next plan has another ``as_of`` among
    its inputs, and so new orders, be their quantities equal.
    """
    return digest({"plan": inputs})[:32]


def derived_fill_id(cumulative_quantity: Decimal, leg: str = "") -> str:
    """Return the id of a fill whose broker gives none: the order's cumulative quantity after it.

    ``leg`` is the symbol, where an order has several and each is filled by quantities of its own.
    """
    return DERIVED + decimal_text(cumulative_quantity) + (f":{leg}" if leg else "")


def cumulative_of(fill_id: str) -> Decimal:
    """Return the cumulative quantity that a derived id was made of."""
    return Decimal(fill_id.removeprefix(DERIVED).partition(":")[0])


# --- sending once -----------------------------------------------------------------------------------------------


def intents_of(entries: Iterable[Entry]) -> dict[str, Intent]:
    """Return the persisted intents by client order id."""
    return {entry.key: Intent.from_entry(entry) for entry in entries if entry.kind == Kind.INTENT}


def owner_of(text: object, intents: Mapping[str, Intent]) -> Mapping[str, Decimal] | None:
    """Return whose an order is, strategy → weight: by its persisted intent, else by what its id says; None: unknown."""
    intent = intents.get(text) if isinstance(text, str) else None
    if intent is not None and intent.weights:
        return intent.weights
    read = parse_order_id(text if intent is None or intent.full_id is None else intent.full_id)
    return None if read is None or read.strategy is None else {read.strategy: Decimal(1)}


def require_distinct(intents: Iterable[Intent]) -> None:
    """Refuse two different orders under one id.

    Raises
    ------
    ConflictError
        Two orders of different plan, item or attempt have the same client order id.
    """
    seen: dict[str, tuple[str | None, str | None, int]] = {}
    for intent in intents:
        order = (intent.plan_id, intent.item, intent.attempt)
        if seen.setdefault(intent.client_order_id, order) != order:
            known = seen[intent.client_order_id]
            raise ConflictError("intent", intent.client_order_id, f"it is the order {known}, and now {order}")


def new_intents(wanted: Iterable[Intent], persisted: Mapping[str, Intent]) -> list[Intent]:
    """Return the intents that are not persisted yet, to be persisted before they are sent.

    Raises
    ------
    ConflictError
        An id is taken by another order, among the persisted ones or among those wanted.
    """
    fresh = list(wanted)
    require_distinct([*persisted.values(), *fresh])
    for intent in fresh:
        known = persisted.get(intent.client_order_id)
        if known is not None and known.to_body() != intent.to_body():
            raise ConflictError("intent", intent.client_order_id, f"{known!r} was told, now {intent!r}")
    return list({i.client_order_id: i for i in fresh if i.client_order_id not in persisted}.values())


def to_submit(persisted: Mapping[str, Intent], is_known: Callable[[str], bool]) -> list[Intent]:
    """Return the persisted intents that the broker does not know: to be sent with the *same* id.

    ``is_known`` asks the broker by client order id. It must raise where the broker does not answer: an order that
    may have arrived is not sent again.
    """
    return [intent for key, intent in sorted(persisted.items()) if not is_known(key)]
