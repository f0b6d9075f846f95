"""Values are frozen dataclasses in everything that can be seen."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, is_dataclass

import pytest

from jinglebridge.values import frozen, maker, replace


@frozen
class Quick:
    one: int
    two: str = "b"
    aside: tuple[int, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Usual:
    one: int
    two: str = "b"
    aside: tuple[int, ...] = field(default=(), compare=False)


def test_it_is_what_the_usual_one_is() -> None:
    assert is_dataclass(Quick)
    assert [(part.name, part.default, part.compare) for part in fields(Quick)] == [
        (part.name, part.default, part.compare) for part in fields(Usual)
    ]
    assert repr(Quick(1)) == repr(Usual(1)).replace("Usual", "Quick")
    assert Quick.__match_args__ == Usual.__match_args__ and Quick.__slots__ == Usual.__slots__
    assert hash(Quick(1, "c")) == hash(Usual(1, "c"))


def test_values_with_the_same_fields_are_equal() -> None:
    assert Quick(1) == Quick(one=1, two="b", aside=(1,)) and hash(Quick(1)) == hash(Quick(1, aside=(1,)))
    assert Quick(1) != Quick(2) and Quick(1) != Usual(1)


@pytest.mark.parametrize("arguments", [{}, {"one": 1, "three": 3}])
def test_missing_and_foreign_arguments_are_refused(arguments: dict[str, int]) -> None:
    with pytest.raises(TypeError):
        Quick(**arguments)  # type: ignore[arg-type]


def test_nothing_can_be_set_or_deleted() -> None:
    made = Quick(1)
    with pytest.raises(FrozenInstanceError):
        made.one = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del made.one
    # What dataclasses with slots raise for a name that is no field differs between versions of Python.
    with pytest.raises((AttributeError, TypeError)):
        made.three = 3  # type: ignore[attr-defined]


def test_copies_are_equal_and_of_the_same_class() -> None:
    made = Quick(1, "c", (3,))
    for other in (replace(made), dataclasses.replace(made), copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert other.__class__ is Quick and other == made and other.aside == (3,)


@pytest.mark.parametrize("kind", [Quick, Usual])
def test_one_with_other_fields_is_another_one(kind: type[Quick]) -> None:
    made = kind(1, "c", (3,))
    other = replace(made, one=2, aside=())
    assert other == dataclasses.replace(made, one=2, aside=()) == kind(2, "c") and other.aside == ()
    assert made == kind(1, "c") and made.aside == (3,)
    with pytest.raises(FrozenInstanceError):
        other.one = 3  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):
        replace(made, three=3)


def test_a_maker_makes_what_a_call_makes() -> None:
    make = maker(Quick)
    for made, called in ((make(1), Quick(1)), (make(1, "c", (3,)), Quick(1, "c", (3,))), (make(two="c", one=2), Quick(2, "c"))):
        assert made == called and made.aside == called.aside and made.__class__ is Quick and repr(made) == repr(called)
        with pytest.raises(FrozenInstanceError):
            made.one = 5  # type: ignore[misc]
    with pytest.raises(TypeError):
        make(three=3)  # type: ignore[call-arg]
