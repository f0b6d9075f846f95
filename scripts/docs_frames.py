"""The tables of frames in docs/reference/json-protocol.md, from jinglebridge/web/messages.py."""

from __future__ import annotations

import inspect
import types
from typing import get_args

import msgspec
from msgspec import inspect as shapes

from jinglebridge.web import messages as m

PARTS = (
    m.Description,
    m.Candidate,
    m.Resume,
    m.Media,
    m.Abilities,
    m.Contact,
    m.IceServer,
    m.Limits,
    m.CallSnapshot,
    m.DeviceInfo,
    m.CallEntry,
)


def client_frames() -> str:
    return "\n".join(_frame(frame) for frame in _members(m.ClientFrame))


def server_frames() -> str:
    return "\n".join(_frame(frame) for frame in _members(m.ServerFrame))


def parts() -> str:
    return "\n".join(_struct(part, f"### {part.__name__} (object)") for part in PARTS)


def _members(union: types.UnionType) -> list[type[msgspec.Struct]]:
    return [member for member in get_args(union) if member is not None]


def _frame(frame: type[msgspec.Struct]) -> str:
    return _struct(frame, f"### `{frame.__struct_config__.tag}`")


def _struct(struct: type[msgspec.Struct], heading: str) -> str:
    lines = [heading, ""]
    doc = inspect.cleandoc(struct.__dict__.get("__doc__") or "").replace("``", "`")
    if doc:
        lines += [" ".join(doc.split()), ""]
    fields = [f"| `{f.encode_name}` | {_type(f.type)} | {_default(f)} |" for f in shapes.type_info(struct).fields]  # type: ignore[attr-defined]
    if fields:
        lines += ["| Field | Type | |", "|---|---|---|", *fields, ""]
    return "\n".join(lines)


def _default(field: shapes.Field) -> str:
    if field.required:
        return "required"
    default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory
    if default is msgspec.UNSET:
        return "may be missing"
    if field.default is msgspec.NODEFAULT:
        return "default `[]`"
    return f"default `{msgspec.json.encode(default).decode()}`"


def _type(shape: shapes.Type) -> str:
    """A type in words, for people who know JSON."""
    match shape:
        case shapes.Metadata(type=inner):
            return _type(inner)
        case shapes.UnionType(types=members):
            return " or ".join(_type(t) for t in members)
        case shapes.LiteralType(values=values):
            return ", ".join(f"`{value}`" for value in values)
        case shapes.ListType(item_type=item):
            return f"list of {_type(item)}"
        case shapes.StructType(cls=cls):
            tag = cls.__struct_config__.tag
            return f"[{cls.__name__}](#{tag or cls.__name__.lower() + '-object'})"
        case shapes.StrType(min_length=low, max_length=high):
            return f"text, {low or 0} to {high} characters" if high else "text"
        case shapes.IntType(ge=low, le=high):
            return "integer" + (f", {low} to {high}" if high is not None else f" ≥ {low}" if low is not None else "")
        case shapes.BoolType():
            return "boolean"
        case shapes.NoneType():
            return "null"
    raise TypeError(f"no words for {shape}")
