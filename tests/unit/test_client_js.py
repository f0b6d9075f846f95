"""The client's own tests under node, and that its words and types name what the protocol names."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import get_args

import pytest

from jinglebridge.calls.reasons import END_REASONS
from jinglebridge.web import guest_pages, messages

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "client"
MODULES = sorted(CLIENT.glob("*.js"))


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    assert found, "node is missing: install the Debian package nodejs"
    return found


def test_units_pass_under_node(node: str) -> None:
    files = sorted(str(path) for path in (ROOT / "tests/unit/client").glob("*.test.mjs"))
    assert files
    run = subprocess.run([node, "--test", *files], capture_output=True, text=True, timeout=100, check=False)
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]


@pytest.fixture(scope="module")
def words(node: str) -> dict[str, list[str]]:
    """The keys of each language by what they are about: `ended.busy.in` is in `ended` as `busy`."""
    script = "import(process.argv[1]).then(({ default: words }) => console.log(Object.keys(words).join(' ')))"
    run = subprocess.run([node, "-e", script, (CLIENT / "words-en.js").as_uri()], capture_output=True, text=True, timeout=30, check=True)
    found: dict[str, list[str]] = {}
    for key in run.stdout.split():
        about, _, rest = key.partition(".")
        found.setdefault(about, []).append(rest.partition(".")[0])
    return found  # languages.test.mjs: other languages have the same keys


def test_every_end_reason_has_words(words: dict[str, list[str]]) -> None:
    assert list(dict.fromkeys(words["ended"])) == [*END_REASONS, "reload", "lasted"]


def test_every_refusal_of_a_link_has_words(words: dict[str, list[str]]) -> None:
    assert set(words["link"]) == {*guest_pages.STATUS, "offline", "gone", "again"}


def union(name: str) -> set[str]:
    """The members of a string union of index.d.ts."""
    match = re.search(rf"export type {name} =(.*?)\n\n", (CLIENT / "index.d.ts").read_text(), re.DOTALL)
    assert match, name
    return set(re.findall(r"'([^']+)'", match[1]))


def test_types_name_the_same_reasons_and_codes() -> None:
    assert union("EndReason") == set(END_REASONS)
    assert union("ErrorCode") == set(get_args(messages.ErrorCode))


def test_every_local_error_has_words(words: dict[str, list[str]]) -> None:
    codes = union("LocalErrorCode")
    assert len(codes) > 14
    assert codes <= set(words["problem"])


def test_requests_are_those_of_the_protocol() -> None:
    source = "\n".join(path.read_text() for path in MODULES)
    sent = set(re.findall(r"(?:request|send)\('([a-z.]+)'", source)) | set(re.findall(r"\{ type: '([a-z]+)', id", source))
    assert {"hello", "ice", "call", "accept", "description", "candidate", "hangup", "stats", "ping", "bye"} <= sent
    assert sent <= set(messages.CLIENT_TYPES)


def test_modules_stay_small() -> None:
    """With their comments: there is no build step. What `connect()` needs, file by file as it is served; and all of it with the button."""
    files = {name: (CLIENT / f"{name}.js").read_bytes() for name in (*needed("jinglebridge"), "jingle-call")}
    size = {name: len(gzip.compress(text, 9)) for name, text in files.items() if name != "jingle-call"}
    assert len(size) > 8
    assert sum(size.values()) <= 25 * 1024, size
    assert len(gzip.compress(b"".join(files.values()), 9)) <= 25 * 1024


def needed(name: str) -> dict[str, None]:
    """The modules that this one imports, and those that they do; and itself."""
    found = {name: None}
    for other in re.findall(r" from '\./([\w-]+)\.js'", (CLIENT / f"{name}.js").read_text()):
        found |= needed(other) if other not in found else {}
    return found


def test_the_package_has_every_file_that_its_modules_import() -> None:
    package = json.loads((CLIENT / "package.json").read_text())
    assert [name for name in package["files"] if not (CLIENT / name).is_file()] == []
    for name in (name for name in package["files"] if name.endswith(".js")):
        assert set(re.findall(r"(?: from |=> import\()'\./(.*?)'", (CLIENT / name).read_text())) <= set(package["files"]), name
    for way in package["exports"].values():
        assert ({way} if isinstance(way, str) else set(way.values())) <= {f"./{name}" for name in (*package["files"], "package.json")}


def test_page_needs_nothing_that_the_content_security_policy_forbids() -> None:
    assert not re.search(r"\sstyle=|\son[a-z]+=|<style|<script(?![^>]*\ssrc=)", (CLIENT / "index.html").read_text())
    for path in MODULES:
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", path.read_text()), path.name


def test_modules_import_only_their_neighbours() -> None:
    for path in MODULES:
        source = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)  # comments import types
        targets = re.findall(r"(?:^import|^export) .*? from '(.*?)'", source, re.MULTILINE) + re.findall(r"\bimport\('(.*?)'\)", source)
        for target in targets:
            assert target.startswith("./") and (CLIENT / target).is_file(), f"{path.name}: {target}"
