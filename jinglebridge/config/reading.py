"""From the file, the environment and the files of secrets to a configuration.

A key ``web.public_url`` is ``JINGLEBRIDGE_WEB_PUBLIC_URL`` in the environment; a secret ``[xmpp] secret`` may be a file, ``secret_file``.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from jinglebridge.config.checks import check
from jinglebridge.config.model import Config
from jinglebridge.errors import ConfigError

SECRETS = (("xmpp", "secret"), ("turn", "secret"), ("tokens", "secret"))


def load(path: Path, environment: Mapping[str, str] | None = None) -> Config:
    """Read, complete from the environment and from secret files, and check. Raises ConfigError, which names key and cure."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; docs/reference has a commented sample") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    _from_environment(data, os.environ if environment is None else environment)
    _read_secret_files(data, path.parent)
    _resolve_key_sets(data, path.parent)
    try:
        config = msgspec.convert(data, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {_explain(str(error))}") from None
    check(config, path)
    return config


def _from_environment(data: dict[str, Any], environment: Mapping[str, str]) -> None:
    for name, text in environment.items():
        if not name.startswith("JINGLEBRIDGE_"):
            continue
        section, _, key = name.removeprefix("JINGLEBRIDGE_").lower().partition("_")
        struct = get_type_hints(Config).get(section)
        if struct is None or key not in getattr(struct, "__struct_fields__", ()):
            raise ConfigError(f"environment variable {name}: there is no such key")
        hint = get_type_hints(struct)[key]
        if hint is str:
            value: Any = text
        else:
            try:
                value = tomllib.loads(f"v = {text}")["v"]
            except tomllib.TOMLDecodeError:
                raise ConfigError(f"environment variable {name}: {text!r} is not a TOML value; a list is ['a', 'b']") from None
        table = data.setdefault(section, {})
        if isinstance(table, dict):  # anything else is refused with the file
            table[key] = value


def _read_secret_files(data: dict[str, Any], folder: Path) -> None:
    for section, key in SECRETS:
        table = data.get(section)
        if isinstance(table, dict):
            _read_secret_file(table, f"[{section}]", key, folder)
    for number, table in _token_keys(data):
        _read_secret_file(table, f"[[tokens.keys]] {number}:", "secret", folder)


def _token_keys(data: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """The tables [[tokens.keys]] with their numbers; what is of another type is refused later."""
    tokens = data.get("tokens")
    keys = tokens.get("keys") if isinstance(tokens, dict) else None
    return [(n, key) for n, key in enumerate(keys if isinstance(keys, list) else [], 1) if isinstance(key, dict)]


def _read_secret_file(table: dict[str, Any], where: str, key: str, folder: Path) -> None:
    name = table.get(f"{key}_file")
    if not name or not isinstance(name, str):
        return
    if table.get(key):
        raise ConfigError(f"{where} {key} and {key}_file are both set; keep one")
    try:
        table[key] = (folder / name).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{where} {key}_file: {error.strerror}: {folder / name}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{where} {key}_file: {folder / name} is not text") from None


def _resolve_key_sets(data: dict[str, Any], folder: Path) -> None:
    """Key sets that are files lie beside the configuration, as files of secrets do."""
    tokens = data.get("tokens")
    for table in [tokens, *(key for _, key in _token_keys(data))]:
        name = table.get("jwks") if isinstance(table, dict) else None
        if isinstance(table, dict) and name and isinstance(name, str) and "://" not in name:
            table["jwks"] = str(folder / name)


def _explain(text: str) -> str:
    """msgspec's message in the words of the file: the section in brackets, the key by name."""
    what, _, where = text.partition(" - at `$")
    where = where.rstrip("`").lstrip(".")
    what = what.replace("Object contains unknown field", "unknown key").replace("Object missing required field", "missing key")
    if not where:
        return what
    section, _, key = where.partition(".")
    return f"[{section}] {key + ': ' if key else ''}{what}"
