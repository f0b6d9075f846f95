"""The documentation agrees with the code: generated parts, links, sample, schema, trace table, recorded call."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jinglebridge.config import load
from jinglebridge.jingle import JMI_TAGS, parse_jingle, parse_jmi
from jinglebridge.web import messages as m

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md")), *sorted(ROOT.glob("*/README.md"))]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
RECORD = [json.loads(line) for line in (DOCS / "topics" / "one-call.jsonl").read_text(encoding="utf-8").splitlines()]


def test_generated_parts_are_fresh() -> None:
    done = subprocess.run([sys.executable, "scripts/gen_docs.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


# --- links


def without_code(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The fragments that a page's headings can be linked by."""
    found: dict[str, int] = {}
    names = set()
    for heading in re.findall(r"^#+ (.+)$", without_code(page.read_text(encoding="utf-8")), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        names.add(f"{slug}-{found[slug]}" if slug in found else slug)
        found[slug] = found.get(slug, 0) + 1
    return names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(without_code(page.read_text(encoding="utf-8"))):
        path, _, fragment = target.partition("#")
        if re.match(r"[a-z]+:", path):
            continue
        place = (page.parent / path).resolve() if path else page
        assert place.exists() and place.is_relative_to(ROOT), target
        if fragment:
            assert fragment in anchors(place), target


def test_every_page_is_reached_from_the_index() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    linked = {(DOCS / target).resolve() for target in LINK.findall(index)}
    assert [page for page in DOCS.rglob("*.md") if page.name != "index.md" and page.resolve() not in linked] == []


def test_no_page_names_a_place_of_one_machine() -> None:
    for page in PAGES:
        assert not re.search(r"(?<![\w.])/(work|root|tmp)/", page.read_text(encoding="utf-8")), page


# --- the README


def test_readme_names_both_commands_near_the_top() -> None:
    top = "\n".join((ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:40])
    assert "scripts/demo" in top and "scripts/test" in top


def test_library_example_of_the_readme_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("v=0")


# --- configuration


def toml_blocks() -> Iterator[str]:
    for page in PAGES:
        yield from re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def loaded(folder: Path, text: str) -> None:
    for name in ("component.secret", "tokens.secret", "turn.secret"):
        (folder / name).write_text("x" * 64)
    text = re.sub(r'"/etc/jinglebridge/\w+\.secret"', '"component.secret"', text)
    (folder / "bridge.toml").write_text(text)
    load(folder / "bridge.toml", {})


def test_sample_configuration_loads(tmp_path: Path) -> None:
    loaded(tmp_path, (DOCS / "reference" / "jinglebridge.sample.toml").read_text(encoding="utf-8"))


def test_sample_configuration_loads_with_every_default_uncommented(tmp_path: Path) -> None:
    sample = (DOCS / "reference" / "jinglebridge.sample.toml").read_text(encoding="utf-8")
    loaded(tmp_path, re.sub(r"^# (\w+ = )", r"\1", sample, flags=re.MULTILINE))


@pytest.mark.parametrize("block", list(toml_blocks()), ids=range(len(list(toml_blocks()))))
def test_configuration_in_a_page_is_accepted(tmp_path: Path, block: str) -> None:
    """A block is a whole file, or is completed with what every file must have."""
    if "domain =" not in block:
        xmpp = '[xmpp]\ndomain = "call.example.org"\nsecret_file = "component.secret"\n'
        block = block.replace("[xmpp]\n", xmpp) if "[xmpp]" in block else xmpp + block
    if "secret_file" not in block.partition("[web]")[0]:
        block = block.replace("[xmpp]\n", '[xmpp]\nsecret_file = "component.secret"\n')
    loaded(tmp_path, block)


# --- the protocol

GOOD: list[dict[str, Any]] = [
    {"type": "hello", "id": "1", "version": 1, "token": "t"},
    {"type": "hello", "id": "1", "version": 1, "resume": {"secret": "s", "lastSeq": 3}, "future": True},
    {"type": "candidate", "id": "1", "call": "c", "candidate": None},
    {"type": "info", "id": "1", "call": "c", "info": "mute", "mid": "0"},
]
BAD: list[dict[str, Any]] = [
    {"type": "hello", "version": 1},
    {"type": "hello", "id": "", "version": 1},
    {"type": "call", "id": "1", "call": "c", "to": "a@b", "description": {"type": "rollback", "sdp": ""}},
    {"type": "hangup", "id": "1", "call": "c", "reason": "bored"},
    {"type": "nonsense", "id": "1"},
]


@pytest.mark.parametrize("frame", GOOD)
def test_good_frames_are_read(frame: dict[str, Any]) -> None:
    assert m.decode(json.dumps(frame))


@pytest.mark.parametrize("frame", BAD)
def test_bad_frames_are_refused(frame: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        m.decode(json.dumps(frame))


def test_schema_declares_every_frame() -> None:
    schema = json.loads((DOCS / "reference" / "jinglebridge.v1.schema.json").read_text(encoding="utf-8"))
    assert set(schema["clientFrame"]["discriminator"]["mapping"]) == set(m.CLIENT_TYPES)
    server = set(schema["serverFrame"]["discriminator"]["mapping"])
    assert {"welcome", "ack", "error", "ice", "pong", "ended"} <= server
    text = (DOCS / "reference" / "json-protocol.md").read_text(encoding="utf-8")
    assert all(f"### `{type}`" in text for type in {*m.CLIENT_TYPES, *server})


# --- one call


def trace_table() -> list[str]:
    text = (DOCS / "topics" / "one-call.md").read_text(encoding="utf-8").partition("## The same call in the code")[2]
    return re.findall(r"`([\w/.]+\.(?:py|js))`", text)


def test_trace_table_names_real_files() -> None:
    named = trace_table()
    assert len(named) > 20
    assert [name for name in named if not (ROOT / name if name.startswith("client/") else ROOT / "jinglebridge" / name).is_file()] == []


def test_recorded_call_is_one_that_we_understand() -> None:
    """What the recorded page and contact sent is read without complaint, and the steps are in their order."""
    steps = []
    for line in RECORD:
        if "frame" in line:
            if line["from"] == "page":
                m.decode(json.dumps(line["frame"]))
            continue
        steps.append(line["what"])
        payload = next(child for child in ET.fromstring(line["xml"]) if child.tag in JMI_TAGS or child.tag == "{urn:xmpp:jingle:1}jingle")
        _ = parse_jmi(payload) if payload.tag in JMI_TAGS else parse_jingle(payload)
    order = ["propose", "ringing", "proceed", "session-initiate", "session-accept", "session-terminate"]
    assert [step for step in steps if step in order] == order
    assert steps.count("finish") == 2


def test_recorded_call_holds_no_secret() -> None:
    for line in RECORD:
        text = json.dumps(line.get("frame", {}))
        for key in ("token", "credential", "resume"):
            assert re.search(rf'"{key}": "(?!\\u2026")', text) is None
