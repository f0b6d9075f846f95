"""index.d.ts against the JSON schema of the protocol, by the compiler of TypeScript: what the bridge sends is what a page is promised."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from fake_server import CLIENT

pytestmark = pytest.mark.interop
ROOT = CLIENT.parent
TSC = Path(__file__).parent / "npm/node_modules/.bin/tsc"  # scripts/test installs it
SCHEMA: dict[str, Any] = json.loads((ROOT / "docs/reference/jinglebridge.v1.schema.json").read_text())

# Declared type -> the same in the protocol; both ways, so that neither has more than the other.
SAME = {
    "Contact": "Contact",
    "Media": "Media",
    "Abilities": "Abilities",
    "CallEntry": "CallEntry",
    "Missed": "Omit<Missed, 'type' | 'seq'>",
    "EndReason": "Ended['reason']",
    "ErrorCode": "Error['code']",
    "Show": "SetPresence['show']",
    "BridgeError['what']": "Exclude<Error['what'] | Rollback['what'], null> | undefined",
    "Interrupted['direction']": "CallSnapshot['direction']",
}
# Declared type -> what of the protocol must fit into it.
WIDER = {
    "CallState": "State['state'] | CallSnapshot['state']",
    "Resume['secret']": "Welcome['resume']",
    "Resume['lastSeq']": "Welcome['seq']",
}
SIMPLE = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def typescript(schema: dict[str, Any]) -> str:
    """The type of a schema. Every property is there: the bridge leaves none out."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(map(typescript, schema["anyOf"]))
    match schema.get("type"):
        case "array":
            return f"({typescript(schema.get('items', {}))})[]"
        case "object" if "properties" in schema:
            return "{ " + "; ".join(f"{json.dumps(name)}: {typescript(inner)}" for name, inner in schema["properties"].items()) + " }"
        case str() as kind if kind in SIMPLE:
            return SIMPLE[kind]
    return "unknown"


def program() -> str:
    lines = [
        f"import type * as declared from {json.dumps(str(CLIENT / 'index.js'))}",
        "type Same<A, B> = [A, B] extends [B, A] ? true : false",
    ]
    lines += [f"type {name} = {typescript(schema)}" for name, schema in SCHEMA["$defs"].items()]
    lines += [f"const same{n}: Same<declared.{ours}, {theirs}> = true" for n, (ours, theirs) in enumerate(SAME.items())]
    lines += [f"const fits{n}: declared.{ours} = null! as {theirs}" for n, (ours, theirs) in enumerate(WIDER.items())]
    return "\n".join([*lines, "export {}", ""])


def compiled(folder: Path, text: str) -> str:
    """What the compiler has to say."""
    (folder / "protocol.ts").write_text(text)
    options = {"extends": str(CLIENT / "tsconfig.json"), "files": ["protocol.ts"], "include": []}
    (folder / "tsconfig.json").write_text(json.dumps(options))
    return subprocess.run([TSC, "-p", folder], capture_output=True, text=True, check=False, timeout=60).stdout


def test_declared_types_are_those_of_the_protocol(tmp_path: Path) -> None:
    assert compiled(tmp_path, program()) == ""


def test_a_difference_is_found(tmp_path: Path) -> None:
    said = compiled(tmp_path, program().replace('"pending-in"', '"waiting"').replace('"ringing"', '"buzzing"'))
    assert said.count("error TS2322") == 2, said
