"""Everything a book was told, posted to its sheets; and posted anew where a fact was told again.

A correction does not edit: the step it is about stays as it was told, and the sheet it stands on is posted from
its start, each fill as its corrections leave it. Sheets that an exercise or assignment joins are posted together.
"""

from __future__ import annotations

from collections.abc import Iterable

from attribution.ledger.corporate import delivery_sheet, happen
from attribution.ledger.corrections import revised
from attribution.ledger.entry import GENESIS, Head
from attribution.ledger.errors import ConflictError, InvalidRecordError
from attribution.ledger.positions import Holdings
from attribution.ledger.records import Correction
from attribution.ledger.sheet import Happening, Sheet, SheetKey, Trade
from attribution.ledger.told import Notice, StepKey, Told

__all__ = ["Posting"]


class Posting(Holdings):
    """Sheets made of steps.

    Parameters
    ----------
    keep_matches
        Keep which trade closed which lot, for :meth:`closed`.

    Attributes
    ----------
    head
        The last entry of the log that was folded in.
    notices
        What was told and could not be used.
    """

    def __init__(self, *, keep_matches: bool = False) -> None:
        super().__init__()
        self.keep_matches = keep_matches
        self.notices: list[Notice] = []
        self._begin()

    def _begin(self) -> None:
        self.head = Head(0, GENESIS)
        self._told = Told()
        self._steps = self._told.steps
        self._corrections = self._told.corrections

    def forget(self) -> None:
        """Become a book that was told nothing."""
        self.sheets.clear()
        self.notices.clear()
        self._begin()

    def told(self) -> Told:
        """Return everything the book was told; for snapshots."""
        self.settle()
        return self._told

    def post_again(self, steps: Iterable[tuple[str, Trade | Happening]]) -> None:
        """Post the steps of a snapshot."""
        for kind, step in steps:
            if isinstance(step, Happening):
                self._happen(step)
            else:
                self._post((step.sheet.account_id, kind, step.key), step, self._sheet(step.sheet))

    # --- posting ---

    def _sheet(self, key: SheetKey) -> Sheet:
        sheet = self.sheets.get(key)
        if sheet is None:
            sheet = self.sheets[key] = Sheet(key, [] if self.keep_matches else None)
        return sheet

    def _touched(self, happening: Happening) -> list[Sheet]:
        into = delivery_sheet(happening)
        return [self._sheet(happening.sheet)] + ([] if into is None else [self._sheet(into)])

    def _post(self, step_key: StepKey, trade: Trade, sheet: Sheet) -> None:
        self._steps[step_key] = trade
        sheet.steps.append(trade)
        account_key = (trade.sheet.account_id, trade.key)
        if account_key in self._corrections:
            self._check_waiting(trade, account_key)
        self._perform(trade)

    def _check_waiting(self, trade: Trade, account_key: tuple[str, str]) -> None:
        """Corrections that came before their fill may turn out not to fit it: the fill stands, they do not."""
        try:
            self.effective(trade)
        except InvalidRecordError as error:
            for correction in self._corrections.pop(account_key).values():
                self.notices.append(Notice(self.head.seq, correction.kind, *account_key, str(error)))

    def _is_known(self, step_key: StepKey, trade: Trade) -> bool:
        """Whether the fact was told before; a different fact under the same key is an error."""
        known = self._steps.get(step_key)
        if known is None:
            return False
        if not isinstance(known, Trade) or not known.same_fact(trade):
            raise ConflictError(step_key[1], step_key[2], f"{known!r} was told, now {trade!r}")
        return True

    def _happen(self, happening: Happening) -> None:
        self._steps[happening.sheet.account_id, "event", happening.event.key] = happening
        for sheet in self._touched(happening):
            sheet.steps.append(happening)
        try:
            happen(happening, self._sheet)
        except Exception as error:
            self._unhappen(happening)
            if isinstance(error, ValueError | ArithmeticError):
                raise InvalidRecordError(
                    "event_id", happening.event.key, f"an event that can happen ({error})"
                ) from error
            raise

    def _unhappen(self, happening: Happening) -> None:
        """Leave the sheets as they were before an event that could not happen."""
        del self._steps[happening.sheet.account_id, "event", happening.event.key]
        touched = self._touched(happening)
        for sheet in touched:
            sheet.steps.pop()
        for sheet in touched:
            if sheet.steps:
                self._repost(sheet.key)
            else:
                del self.sheets[sheet.key]

    # --- posting anew ---

    def correct(self, correction: Correction) -> bool:
        """Bust, correct or reassign a fill; a correction that comes before its fill waits for it."""
        self.settle()
        revisions = self._corrections.get((correction.account_id, correction.fill_key), {})
        known = revisions.get(correction.revision)
        if known is not None:
            if known.to_body() != correction.to_body():
                raise ConflictError(correction.kind, correction.key, f"{known!r} was told, now {correction!r}")
            return False
        fill = self._steps.get((correction.account_id, "fill", correction.fill_key))
        if isinstance(fill, Trade):
            revised(fill, [*revisions.values(), correction])  # refuses what does not fit, before anything changes
        self._corrections[correction.account_id, correction.fill_key] = revisions | {correction.revision: correction}
        if isinstance(fill, Trade):
            self._repost(fill.sheet)
        return True

    def corrections_of(self, account_id: str, fill_key: str) -> list[Correction]:
        """The corrections of a fill that count, in the order of their revisions."""
        revisions = self._corrections.get((account_id, fill_key), {})
        return [revisions[number] for number in sorted(revisions)]

    def waiting(self) -> list[Correction]:
        """Corrections whose fill has not been told."""
        self.settle()
        return [
            revisions[number]
            for (account, key), revisions in sorted(self._corrections.items())
            if (account, "fill", key) not in self._steps
            for number in sorted(revisions)
        ]

    def _repost(self, key: SheetKey) -> None:
        """Post a sheet anew, and every sheet that exercises and assignments join to it."""
        joined, frontier = {key}, [key]
        while frontier:
            for step in self.sheets[frontier.pop()].steps:
                for other in self._touched(step) if isinstance(step, Happening) else ():
                    if other.key not in joined:
                        joined.add(other.key)
                        frontier.append(other.key)
        steps = {step.place: step for each in joined for step in self.sheets[each].steps}
        for each in joined:
            self.sheets[each].clear()
        for _, step in sorted(steps.items()):
            self._perform(step)

    def _perform(self, step: Trade | Happening) -> None:
        if isinstance(step, Happening):
            happen(step, self._sheet)
        else:
            trade = self.effective(step)
            if trade is not None:
                self.sheets[step.sheet].post(trade)

    def effective(self, trade: Trade) -> Trade | None:
        """The trade as its corrections leave it; None if it was busted."""
        corrections = self._corrections.get((trade.sheet.account_id, trade.key))
        return trade if corrections is None or not trade.units else revised(trade, corrections.values())
