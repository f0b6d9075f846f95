"""Frozen slotted dataclasses that are quick to make.

The usual `__init__` of a frozen dataclass calls `object.__setattr__` for each field, which takes several times as long as an assignment
and was a tenth of a translation. A value made here is filled while it is of a class that has the same slots and is not frozen; then it
becomes what it is. Nobody else ever sees it before. The readers of `xmlread` do the same in place, by `open_of`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypeVar, dataclass_transform

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
    parts = fields(made)
    space: dict[str, Any] = {f"_{part.name}": part.default for part in parts}
    space |= {
        "_become": object.__setattr__,
        "_new": object.__new__,
        "_open": type("Open", (), {"__slots__": made.__slots__}),
        "_closed": made,
    }
    parameters = ", ".join(part.name if part.default is MISSING else f"{part.name}=_{part.name}" for part in parts)
    filled = [f"_self.{part.name} = {part.name}" for part in parts]
    body = ['_become(_self, "__class__", _open)', *filled, "_self.__class__ = _closed"]
    source = f"def __init__(_self, {parameters}):\n" + "\n".join("    " + line for line in body)
    exec(compile(source, f"<frozen {cls.__qualname__}>", "exec"), space)
    made.__init__ = space["__init__"]
    _OPEN[made] = space["_open"]
    copied = "".join(f"    made.{part.name} = value.{part.name}\n" for part in parts)
    source = f"def copy(value):\n    made = _open()\n{copied}    return made"
    exec(compile(source, f"<copy of {cls.__qualname__}>", "exec"), space)
    _COPY[made] = space["copy"]
    result: type[T] = made
    return result
