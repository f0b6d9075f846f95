"""What an Element table consists of: one dataclass per kind of part. How they read is in `xmlread`, how they write in `xmlcode`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jinglebridge.xmltypes import Type, text, word

if TYPE_CHECKING:
    from jinglebridge.xml import Element


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = _Required()
MANY = 64


@dataclass(frozen=True, slots=True)
class Attr:
    """One attribute. An absent one reads as `default`; one that equals `default` is written only if `always`."""

    name: str
    type: Type
    field: str
    default: Any
    always: bool
    alias: str


def attr(name: str, type: Type = word, *, field: str | None = None, default: Any = REQUIRED, always: bool = False, alias: str = "") -> Attr:
    """`field`: name in the dataclass if not the attribute's; `alias`: a misspelling that is read as well."""
    return Attr(name, type, field or name.replace("-", "_"), default, always or default is REQUIRED, alias or name)


@dataclass(frozen=True, slots=True)
class Text:
    """The character data of the element itself."""

    field: str
    type: Type = text


@dataclass(frozen=True, slots=True)
class Child:
    """At most one child; the first wins. With `write=False` it is read but never written; with `lenient` a malformed one does not count,
    and of others there are no more than MANY."""

    element: Element[Any]
    field: str
    write: bool = True
    lenient: bool = False


@dataclass(frozen=True, slots=True)
class Children:
    """Any number of children up to `most`. With `lenient` a malformed one drops itself instead of its parent."""

    element: Element[Any]
    field: str
    most: int = MANY
    lenient: bool = False


@dataclass(frozen=True, slots=True)
class Flag:
    """An empty child whose presence says true. With `write=False` it is read but never written."""

    ns: str
    tag: str
    field: str
    write: bool = True


@dataclass(frozen=True, slots=True)
class TextChild:
    """A child that holds nothing but text; "" is not written."""

    ns: str
    tag: str
    field: str
    type: Type = text


@dataclass(frozen=True, slots=True)
class Choice:
    """The tag of the first child in `ns` that no other part takes: a condition such as <busy/>."""

    ns: str
    field: str


@dataclass(frozen=True, slots=True)
class Variants:
    """Children of several tags in one list; the attribute `kind` of a value is its tag."""

    elements: Mapping[str, Element[Any]]
    field: str
    most: int = 16


@dataclass(frozen=True, slots=True)
class Unknown:
    """The tuple of child elements that no other part takes, as they are."""

    field: str = "unknown"


Part = Attr | Text | Child | Children | Flag | TextChild | Choice | Variants | Unknown
