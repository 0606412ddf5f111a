"""What every source of prices owes its caller. A source's test is a subclass with a few answers typed by hand.

The four protocols differ in what is asked, not in how it must be answered: so one contract serves them all, and a
subclass names the method it is about.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from attribution.market.quotes import Answer, Missing, Price, PriceKind, Why


class SourceContract:
    """Subclasses set the fields below and build the source they are about."""

    protocol: ClassVar[type]
    method: ClassVar[str]
    #: Questions that the source knows, with the value and the kind it must answer.
    known: ClassVar[Sequence[tuple[Any, float, PriceKind]]]
    #: Questions that it cannot know: other instruments, other instants, values given as NaN.
    unknown: ClassVar[Sequence[Any]]

    def make(self) -> Any:
        raise NotImplementedError

    def ask(self, questions: Sequence[Any]) -> list[Answer]:
        method: Callable[[Sequence[Any]], Sequence[Answer]] = getattr(self.make(), self.method)
        return list(method(questions))

    def test_it_speaks_the_protocol(self) -> None:
        assert isinstance(self.make(), self.protocol)

    def test_it_has_a_name_for_messages(self) -> None:
        name = self.make().name
        assert isinstance(name, str)
        assert name.strip()

    def test_what_it_knows(self) -> None:
        for question, value, kind in self.known:
            (answer,) = self.ask([question])
            assert isinstance(answer, Price), answer
            assert (answer.value, answer.kind) == (value, kind)
            assert type(answer.value) is float

    def test_a_price_says_who_stated_it(self) -> None:
        source = self.make()
        for question, _, _ in self.known:
            (answer,) = getattr(source, self.method)([question])
            assert answer.source == source.name

    def test_answers_come_in_the_order_of_the_questions(self) -> None:
        forward = [question for question, _, _ in self.known] + list(self.unknown)
        answers = self.ask(forward)
        assert len(answers) == len(forward)
        assert self.ask(forward[::-1]) == answers[::-1]
        assert [isinstance(a, Price) for a in answers] == [True] * len(self.known) + [False] * len(self.unknown)

    def test_a_question_asked_twice_is_answered_twice(self) -> None:
        question, value, _ = self.known[0]
        answers = self.ask([question, self.unknown[0], question])
        assert [a.value if isinstance(a, Price) else None for a in answers] == [value, None, value]

    def test_no_question_no_answer(self) -> None:
        assert self.ask([]) == []

    def test_what_it_does_not_know_is_missing_with_a_reason(self) -> None:
        for answer in self.ask(self.unknown):
            assert isinstance(answer, Missing)
            assert answer.reason.strip()
            # It was asked and has not got it: neither an outage, nor the absence of a source.
            assert answer.why is Why.UNKNOWN

    def test_a_price_is_never_nan(self) -> None:
        questions = [question for question, _, _ in self.known] + list(self.unknown)
        for answer in self.ask(questions):
            assert not (isinstance(answer, Price) and math.isnan(answer.value))
