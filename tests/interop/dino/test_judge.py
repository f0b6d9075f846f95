"""What judges calls with Dino has to be right before it may judge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from . import judge

RATE = 16000
PRINTED = """\
(dino-im:1): libdino-DEBUG: 10:00:00.000: connection_manager.vala:1: a line of the log

XMPP OUT ROOT [a@im.test stream:0x1 thread:0x1 2026-01-01T10:00:00+0000]
<{http://etherx.jabber.org/streams}:stream {http://etherx.jabber.org/streams}:to='im.test'>

XMPP IN [a@im.test stream:0x1 thread:0x1 2026-01-01T10:00:00+0000]
<{jabber:client}:iq {jabber:client}:type='set' {http://www.w3.org/XML/1998/namespace}:lang='en'>
  <{urn:xmpp:jingle:1}:jingle {http://www.w3.org/2000/xmlns/}:xmlns='urn:xmpp:jingle:1' {urn:xmpp:jingle:1}:action='session-terminate'>
    <{urn:xmpp:jingle:1}:reason>
      <{urn:xmpp:jingle:1}:success />
    </{urn:xmpp:jingle:1}:reason>
  </{urn:xmpp:jingle:1}:jingle>
</{jabber:client}:iq>

XMPP OUT [a@im.test stream:0x1 thread:0x1 2026-01-01T10:00:01+0000]
<{jabber:client}:message {jabber:client}:to='b@im.test'>
  <{urn:xmpp:jingle-message:0}:propose {http://www.w3.org/2000/xmlns/}:xmlns='urn:xmpp:jingle-message:0' />
</{jabber:client}:message>

"""


def tone(hz: float) -> judge.Heard:
    return judge.heard(0.1 * np.sin(2 * np.pi * hz * np.arange(RATE) / RATE), RATE)


def test_a_tone_is_that_tone_and_no_other() -> None:
    assert tone(640).is_tone(640)
    assert not tone(640).is_tone(660)
    assert not tone(640).is_silence()


def test_noise_and_silence_are_no_tone() -> None:
    noise = judge.heard(np.random.default_rng(1).normal(0, 0.1, RATE), RATE)
    silence = judge.heard(np.zeros(RATE), RATE)
    assert not noise.is_tone(round(noise.hz)) and not noise.is_silence()
    assert not silence.is_tone(0) and silence.is_silence()


def test_two_tones_at_once_are_none() -> None:
    low, high = (0.1 * np.sin(2 * np.pi * hz * np.arange(RATE) / RATE) for hz in (500, 900))
    both = judge.heard(low + high, RATE)
    assert not both.is_tone(500) and not both.is_tone(900)


@pytest.mark.parametrize("_", range(5))
def test_the_camera_shows_colours_that_can_be_told_apart(tmp_path: Path, _: int) -> None:
    colours = judge.two_colours()
    first, second = (np.full((4, 4, 3), colour, np.uint8) for colour in colours)
    assert judge.share_of(colours[0], first) == judge.share_of(colours[1], second) == 1
    assert judge.share_of(colours[0], second) == judge.share_of(colours[1], first) == 0
    assert judge.share_of(colours[0], np.full((4, 4, 3), 33, np.uint8)) == 0, "Dino's own grey"
    data = judge.camera_file(tmp_path / "camera.y4m", colours, size=(16, 16), rate=10).read_bytes()
    assert data.count(b"FRAME\n") == 20 and len(data.partition(b"\n")[2]) == 20 * (6 + 16 * 16 * 3 // 2)


def test_printed_stanzas_are_read() -> None:
    (first, iq), (second, message) = judge.printed_stanzas(PRINTED)
    assert (first, iq.tag, iq.get("type")) == ("IN", "{jabber:client}iq", "set")
    assert iq.get("{http://www.w3.org/XML/1998/namespace}lang") == "en"
    assert (second, message.get("to")) == ("OUT", "b@im.test")
    assert [*judge.call_words(first, iq), *judge.call_words(second, message)] == ["IN session-terminate success", "OUT propose"]
