"""``attribution ledger correct``: what was wrong about a fill, told later; the fill's own entry stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from attribution.app.ledger_door import open_service
from attribution.app.ledger_words import amount_of, pairs_of
from attribution.app.sheet import InputError
from attribution.calendars import to_epoch_us
from attribution.ledger.entry import Entry, Kind
from attribution.ledger.records import Correction, CorrectionAction, Fill
from attribution.ledger.service import TradeLedgerService

__all__ = ["CORRECT_EPILOG", "correct"]

CORRECT_EPILOG = "Exit codes: 0 on record · 2 wrong usage, no ledger, or not recorded: a correction never waits."


def correct(
    number: Annotated[
        int, typer.Argument(metavar="NUMBER", help="Of the fill, as record and query tell it: 5 for #5.")
    ],
    bust: Annotated[bool, typer.Option("--bust", help="It never happened.")] = False,
    side: Annotated[str | None, typer.Option(help="buy or sell: what it was.")] = None,
    quantity: Annotated[str | None, typer.Option(help="How many units it was.")] = None,
    price: Annotated[str | None, typer.Option(help="What was paid per unit.")] = None,
    fees: Annotated[str | None, typer.Option(help="In currency: what was paid besides.")] = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            "--strategy",
            metavar="NAME[=QUANTITY]",
            show_default=False,
            help="Whose it is; repeat with quantities for several, which add up to the fill's.",
        ),
    ] = None,
    reason: Annotated[str | None, typer.Option(help="A remark.")] = None,
    ledger: Annotated[Path | None, typer.Option("--ledger", metavar="FOLDER", show_default=False)] = None,
    account: Annotated[str, typer.Option("--account", metavar="NAME", help="Whose account.")] = "default",
) -> None:
    """Correct, reassign or bust a fill. The same correction again changes nothing."""
    with open_service(ledger, account, writes=True) as service:
        entry = _fill_entry(service, number)
        changes: dict[str, Any] = {
            "side": None if side is None else side.strip().upper(),
            "quantity": None if quantity is None else amount_of("--quantity", quantity),
            "price": None if price is None else amount_of("--price", price),
            "fees": None if fees is None else amount_of("--fees", fees),
        }
        fill = Fill.from_entry(entry)
        changes["split"] = _split(strategy or [], changes["quantity"] or fill.quantity)
        action = _action(bust, changes)
        known = [Correction.from_entry(one) for one in service.log.entries(after=number, kinds={Kind.CORRECT})]
        before = [one for one in known if one.fill_key == entry.key]
        told = {"action": action, **changes, "reason": reason}
        if before and all(getattr(before[-1], name) == value for name, value in told.items()):
            typer.echo(f"#{number} is so corrected already (revision {before[-1].revision})")
            return
        service.append([_correction(service, entry, len(before) + 1, told)])
        typer.echo(f"#{service.log.head().seq} {action} of #{number} {entry.key} (revision {len(before) + 1})")


def _fill_entry(service: TradeLedgerService, number: int) -> Entry:
    entry = next(service.log.entries(after=number - 1, limit=1), None) if number > 0 else None
    if entry is None or entry.seq != number or entry.kind != Kind.FILL:
        found = "nothing" if entry is None or entry.seq != number else f"of the kind {entry.kind}"
        raise InputError(
            f"NUMBER {number}: must be a fill's, as `attribution ledger query` tells it; #{number} is {found}"
        )
    return entry


def _split(words: Sequence[str], quantity: Decimal) -> dict[str, Decimal] | None:
    """Owners by quantity; a name alone owns all of it."""
    if not words:
        return None
    if len(words) == 1 and "=" not in words[0]:
        return {words[0].strip(): quantity}
    return {
        name: amount_of(f"--strategy {name}", text) for name, text in pairs_of("--strategy", words, "NAME=QUANTITY")
    }


def _action(bust: bool, changes: dict[str, Any]) -> CorrectionAction:
    told = [name for name, value in changes.items() if value is not None]
    if bust and told:
        raise InputError(f"--bust: a fill that never happened has no other {told[0]}")
    if bust:
        return CorrectionAction.BUST
    if not told:
        raise InputError("nothing to correct: say --bust, --side, --quantity, --price, --fees or --strategy")
    return CorrectionAction.REASSIGN if told == ["split"] else CorrectionAction.CORRECT


def _correction(service: TradeLedgerService, entry: Entry, revision: int, told: dict[str, Any]) -> Correction:
    now = datetime.now(UTC)
    return Correction(
        account_id=entry.account_id,
        ts=to_epoch_us(now) * 1000,
        trade_date=entry.trade_date,
        source="cli",
        fill_key=entry.key,
        revision=revision,
        **told,
    )
