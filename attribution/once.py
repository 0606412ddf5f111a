"""An attribute that is worked out when it is first read, without a lock.

``functools.cached_property`` holds one lock for all instances of a class up to Python 3.11, also while the value is
worked out: a process that is forked meanwhile by another thread waits for it for ever. Here two threads that come first
at the same time both work the value out, as from Python 3.12 on, and keep one of the two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

__all__ = ["once"]

Value = TypeVar("Value")


class once(Generic[Value]):
    """Make a method an attribute that is worked out at the first reading and kept in the instance's ``__dict__``."""

    def __init__(self, find: Callable[[Any], Value]) -> None:
        self._find = find
        self._name = find.__name__
        self.__doc__ = find.__doc__

    def __set_name__(self, owner: type[object], name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type[object]) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type[object]) -> Value: ...

    def __get__(self, instance: object | None, owner: type[object]) -> Self | Value:
        """Called at the first reading only: from then on the instance's own attribute goes first."""
        if instance is None:
            return self
        value: Value = instance.__dict__.setdefault(self._name, self._find(instance))
        return value
