"""Frozen slotted dataclasses that are quick to make.

The usual `__init__` of a frozen dataclass calls `object.__setattr__` for each field, which takes several times as long as an assignment
and was a tenth of a translation. A value made here is filled while it is of a class that has the same slots and is not frozen; then it
becomes what it is. Nobody else ever sees it before. The readers of `xmlread` do the same in place, by `open_of`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ParamSpec, TypeVar, dataclass_transform

P = ParamSpec("P")
T = TypeVar("T")

_OPEN: dict[Any, type[Any]] = {}
_COPY: dict[Any, Any] = {}  # class -> a function that makes a copy, still open


def open_of(cls: Any) -> type[Any] | None:
    """The class whose instances become those of `cls`, None where `cls` is not made by `frozen`."""
    return _OPEN.get(cls)


def replace(value: T, **changes: Any) -> T:
    """As `dataclasses.replace`, in a fifth of the time where the class of the value was made by `frozen`."""
    cls: Any = value.__class__
    copy = _COPY.get(cls)
    if copy is None:
        usual: T = dataclasses.replace(value, **changes)  # type: ignore[type-var]
        return usual
    made: T = copy(value)
    for name in changes:
        setattr(made, name, changes[name])
    made.__class__ = cls
    return made


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """As `@dataclass(frozen=True, slots=True)` in everything but the time it takes. A default is a plain value, no factory, and there
    is no class made of this one."""
    made: Any = dataclass(frozen=True, slots=True, init=False)(cls)
    _OPEN[made] = type("Open", (), {"__slots__": made.__slots__})
    _COPY[made] = _copying(made)
    made.__init__ = _filling(made, "__init__", ("_self",), '_become(_self, "__class__", _open)')
    result: type[T] = made
    return result


def maker(cls: Callable[P, T]) -> Callable[P, T]:
    """A function that makes values of `cls`, a class made by `frozen`, in two thirds of the time that calling it takes."""
    made: Callable[P, T] = _filling(cls, "make", (), "_self = _open()", "return _self")
    return made


def _filling(made: Any, name: str, before: tuple[str, ...], begin: str, end: str = "") -> Any:
    """A function with the fields of `made` as parameters, those of `before` first: it fills `_self`, which `begin` makes a value of the
    class that is not frozen."""
    parts = fields(made)
    space: dict[str, Any] = {f"_{part.name}": part.default for part in parts}
    space |= {"_become": object.__setattr__, "_open": _OPEN[made], "_closed": made}
    parameters = ", ".join([*before, *(part.name if part.default is MISSING else f"{part.name}=_{part.name}" for part in parts)])
    filled = [f"_self.{part.name} = {part.name}" for part in parts]
    body = [begin, *filled, "_self.__class__ = _closed", end]
    source = f"def {name}({parameters}):\n" + "\n".join("    " + line for line in body)
    exec(compile(source, f"<frozen {made.__qualname__}>", "exec"), space)
    return space[name]


def _copying(made: Any) -> Any:
    """A function that makes a copy of a value of `made`, of the class that is not frozen yet."""
    space: dict[str, Any] = {"_open": _OPEN[made]}
    copied = [f"    made.{part.name} = value.{part.name}" for part in fields(made)]
    source = "\n".join(["def copy(value):", "    made = _open()", *copied, "    return made"])
    exec(compile(source, f"<copy of {made.__qualname__}>", "exec"), space)
    return space["copy"]
