"""The commented sample that is in the documentation and beside a new installation."""

from __future__ import annotations

from typing import get_type_hints

import msgspec

from jinglebridge.config.model import Config


def sample() -> str:
    """A commented configuration with every key at its default; required keys are filled with examples."""
    lines = ["# jinglebridge configuration. Every key is here; those after a # are at their default.", ""]
    for section, struct in get_type_hints(Config).items():
        lines += [f"# {(struct.__doc__ or '').strip()}", f"[{section}]"]
        for field, info in zip(msgspec.structs.fields(struct), msgspec.inspect.type_info(struct).fields, strict=True):  # type: ignore[attr-defined]
            description = (getattr(info.type, "extra_json_schema", None) or {}).get("description", "")
            example = EXAMPLES.get((section, field.name))
            default = "" if field.default is msgspec.NODEFAULT else field.default
            if field.default_factory is not msgspec.NODEFAULT:
                default = field.default_factory()
            text = f"{field.name} = {_toml(default if example is None else example)}"
            lines += [f"# {description}", text if example is not None else f"# {text}", ""]
    return "\n".join(lines).rstrip() + "\n"


EXAMPLES = {
    ("xmpp", "domain"): "call.example.org",
    ("xmpp", "secret_file"): "component.secret",
    ("web", "public_url"): "https://call.example.org",
    ("tokens", "secret_file"): "tokens.secret",
}


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)
