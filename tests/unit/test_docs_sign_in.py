"""The tokens of docs/how-to/sign-in.md, as a site makes them in other languages, let somebody in."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from jinglebridge.web import tokens

PAGE = (Path(__file__).resolve().parents[2] / "docs/how-to/sign-in.md").read_text(encoding="utf-8")
SECRET = "s" * 64


def block(language: str) -> str:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[0]


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (["node", "--input-type=module", "-"], block("js") + f"console.log(callToken('{SECRET}', 'anna', 'Anna'))"),
        (["sh", "-s"], block("sh")),
    ],
    ids=["node", "sh"],
)
def test_examples(tmp_path: Path, command: list[str], text: str) -> None:
    (tmp_path / "tokens.secret").write_text(SECRET)
    done = subprocess.run(command, input=text, capture_output=True, text=True, cwd=tmp_path, timeout=30, check=True)
    assert tokens.verify(done.stdout.strip(), SECRET, "call.example.org").identity.user == "anna"
