"""The examples for React and Vue of docs/how-to/embed.md, bundled and run in a real Chromium on a page with a strict CSP."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from pathlib import Path

import pytest
from call_pages import Open, press
from fake_server import CLIENT, DOMAIN, FakeBridge
from playwright.async_api import expect

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]
NPM = Path(__file__).parent / "npm"  # scripts/test installs what it names
BOB = f"bob@{DOMAIN}"


def example(kind: str, url: str) -> str:
    """The block of the page in this language, for the bridge at `url`, and calling bob there."""
    text = (CLIENT.parent / "docs/how-to/embed.md").read_text()
    (found,) = re.findall(rf"^```{kind}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    for theirs, ours in (("https://call.example.org", url), ("support@example.org", BOB), ("/call-token", "/my-token")):
        assert theirs in found or theirs == "support@example.org"
        found = found.replace(theirs, ours)
    return str(found)


@pytest.mark.parametrize("name", ["react", "vue"])
async def test_example(bridge: FakeBridge, enter: Open, tmp_path: Path, name: str) -> None:
    examples = {"react": example("jsx", bridge.url), "vue": example("vue", bridge.url)}
    bridge.bundles = tmp_path
    command = ["node", "examples.mjs", json.dumps(examples), str(tmp_path)]
    await asyncio.to_thread(subprocess.run, command, cwd=NPM, check=True, timeout=60)
    bob, page = await enter("bob"), await enter("nobody")
    said: list[str] = []
    page.on("console", lambda line: said.append(line.text))
    bridge.shop = f'<script type="module" src="/bundles/{name}.js"></script>'
    await page.evaluate(f"window.name = '{BOB}'")
    await page.goto(f"{bridge.url}shop")
    await press(page, "Call Bob" if name == "react" else "Call bob")
    await press(bob, "Accept")
    await expect(page.get_by_role("status")).to_contain_text("Connected")
    await press(page, "Hang up")
    await expect(page.get_by_role("status")).to_contain_text("ended")
    assert (await page.evaluate("window.reasons") if name == "react" else said[-1:]) == ["ended"]
