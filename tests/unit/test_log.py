"""Logging: levels, both formats, and nothing of slixmpp's (J-248)."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

CODE = """
import logging, sys
from jinglebridge import log
log.configure({level!r}, {format!r})
import structlog
logger = structlog.get_logger()
logger.debug("quiet", a=1)
logger.info("said", b="two")
logging.getLogger("slixmpp.xmlstream").error("<stanza pwd='secret'/>")
logging.getLogger("aioice.ice").warning("secret")
def fail():
    secret = "hunter2"
    raise ValueError("boom")
try:
    fail()
except ValueError:
    logger.exception("failed")
"""


def run(level: str, format: str) -> str:
    done = subprocess.run([sys.executable, "-c", CODE.format(level=level, format=format)], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize(("level", "events"), [("debug", ["quiet", "said", "failed"]), ("info", ["said", "failed"]), ("error", ["failed"])])
def test_json_is_one_object_a_line(level, events):
    lines = [json.loads(line) for line in run(level, "json").splitlines()]
    assert [line["event"] for line in lines] == events
    assert "ValueError: boom" in lines[-1]["exception"] and lines[-1]["timestamp"].endswith("Z")


def test_text_shows_no_local_variables_and_no_stanzas():
    text = run("info", "text")
    assert "said" in text and "b=two" in text and "ValueError: boom" in text
    assert "\x1b" not in text.partition("failed")[0].partition("said")[0], "no colours where there is no terminal"
    assert "hunter2" not in text.replace('secret = "hunter2"', "") and "<stanza" not in text
