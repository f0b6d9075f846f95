"""The SDP model."""

from __future__ import annotations

import copy
import gc
import pickle

import pytest

from jinglebridge.errors import SdpError
from jinglebridge.sdp import Direction, SessionDescription, parse
from tests.unit.cases import small


def test_attributes_are_found_in_order():
    media = parse(small("a=x:1", "a=x:2", "a=flag", "b=AS:9")).media[0]
    assert media.all("x") == ["1", "2"] and media.get("x") == "1"
    assert media.get("none") is None and media.all("none") == []
    assert "flag" in media and media.get("flag") == ""
    assert media.values("b") == ["AS:9"]
    assert (media.kind, media.formats) == ("audio", ("111",))


def test_session_level_applies_where_the_section_is_silent():
    sdp = parse(small(head=("a=x:s", "a=inactive"), drop=("sendrecv",)))
    assert sdp.media[0].inherited("x") == "s" and sdp.media[0].inherited_all("x") == ["s"]
    assert sdp.media[0].inherited("y") is None and sdp.media[0].inherited_all("y") == []
    assert sdp.media[0].direction is None
    assert sdp.media[0].effective_direction is Direction.INACTIVE
    assert parse(small(drop=("sendrecv",))).media[0].effective_direction is Direction.SENDRECV


def test_port_zero_means_rejected_unless_bundle_only():
    assert parse(small().replace("audio 9", "audio 0")).media[0].rejected
    assert not parse(small("a=bundle-only").replace("audio 9", "audio 0")).media[0].rejected


def test_sections_by_mid():
    sdp = parse(small())
    assert sdp.section("0") is sdp.media[0] and sdp.section("1") is None


def test_a_description_can_be_written():
    sdp = SessionDescription()
    sdp.line("v=0")
    media = sdp.add_media("video", 9, "RTP/AVP", ("96", "97"))
    media.add("mid", "v")
    media.add("flag")
    assert sdp.format() == "v=0\r\nm=video 9 RTP/AVP 96 97\r\na=mid:v\r\na=flag\r\n"
    assert media.index == 0 and media.session is sdp.part
    assert media.get("mid") == "v" and "x" not in media
    media.add("x", "1")
    assert media.get("x") == "1"
    media.extend(["a=x:2", "b=AS:1"])
    assert media.all("x") == ["1", "2"] and media.lines[-1] == "b=AS:1"


@pytest.mark.parametrize("bad", ["x\r\na=y", "x\ny", "x\ry", "x\0y"])
def test_no_value_ever_makes_a_line(bad):
    sdp = SessionDescription()
    sdp.add("x", bad)
    with pytest.raises(SdpError):
        sdp.format()


def test_a_section_is_named_by_its_first_mid():
    sdp = SessionDescription()
    first, second = (sdp.add_media("audio", 9, "RTP/AVP", ("0",)) for _ in range(2))
    assert sdp.part.mids == set()
    second.add("mid", "x")
    second.add("mid", "0")
    assert sdp.part.mids == {"x"} and first.session is second.session
    first.add("mid", "y")
    assert sdp.part.mids == {"x", "y"}


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda sdp: pickle.loads(pickle.dumps(sdp))], ids=["copy", "pickle"])
def test_a_description_can_be_copied(copied):
    sdp = parse(small())
    twin = copied(sdp)
    twin.add("group", "LS 0")
    assert twin.media[0].session is twin.part and "group" in twin.part and "group" not in sdp
    assert twin.media[0].session.mids == {"0"} and twin.format() == sdp.format().replace("m=audio", "a=group:LS 0\r\nm=audio")


def test_a_description_is_no_cycle():
    """Its memory is free at once, and does not wait for the garbage collector."""
    sdp = parse(small())
    held = gc.get_referrers(sdp)
    assert not any(holder is media for media in sdp.media for holder in held)
    assert sdp not in gc.get_referents(*sdp.media) and sdp not in gc.get_referents(sdp.part)
