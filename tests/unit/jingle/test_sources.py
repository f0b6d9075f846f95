"""Lines of sources that a browser takes."""

from __future__ import annotations

import pytest

from jinglebridge.jingle.xep_0339 import SOURCE, Source, SourceGroup, SourceParameter, to_sdp
from jinglebridge.sdp import SessionDescription
from jinglebridge.xml import parse_text

CNAME = (SourceParameter("cname", "c"),)


@pytest.mark.parametrize(
    ("sources", "lines"),
    [
        ((Source(1, CNAME),), ["1 cname:c", "2 cname:c"]),
        ((Source(2, CNAME),), ["2 cname:c", "1 cname:c"]),
        ((Source(1, CNAME), Source(2, CNAME)), ["1 cname:c", "2 cname:c"]),
        ((), []),
        ((Source(1, (SourceParameter("x"),)),), ["1 x"]),
        ((Source(3, CNAME),), ["3 cname:c"]),
    ],
    ids=["first", "second", "both", "none", "no cname", "another"],
)
def test_members_of_a_group_that_only_the_group_names_get_its_cname(sources, lines):
    """COMPAT(stanza 12): Chromium refuses a group of which it knows but one source."""
    media = SessionDescription().add_media("video", 9, "UDP/TLS/RTP/SAVPF", ("96",))
    to_sdp(media, sources, (SourceGroup("FID", (Source(1), Source(2))),))
    assert media.all("ssrc") == lines and media.all("ssrc-group") == ["FID 1 2"]


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        ('name=" cname " value=" a b "', (SourceParameter("cname", "a b"),)),
        ('name="a:b" value="c"', ()),
        ('name="a b"', ()),
        ('name="flag"', (SourceParameter("flag"),)),
    ],
)
def test_a_name_ends_where_its_value_begins(xml, expected):
    """RFC 5576 §4.1; as in a=fmtp (J-118)."""
    source = f'<source xmlns="urn:xmpp:jingle:apps:rtp:ssma:0" ssrc="1"><parameter {xml}/></source>'
    assert SOURCE.parse(parse_text(source)).parameters == expected
