"""From text to a frame or to the right error. DESIGN §5; conformance area Q."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jinglebridge.errors import EndpointError, OutOfOrder, SdpError
from jinglebridge.web import frames
from jinglebridge.web import messages as m


def code(data: str) -> str:
    with pytest.raises(EndpointError) as caught:
        frames.read(data)
    return caught.value.code


def frame(**fields: Any) -> str:
    return json.dumps(fields)


def test_a_good_frame_with_unknown_fields():
    read = frames.read(frame(type="hangup", id="1", call="c", reason="ended", extra={"deep": [1]}))
    assert read == m.Hangup(id="1", call="c")


@pytest.mark.parametrize("type", ["nonsense", "", "Hello", "welcome", "ack"])
def test_unknown_types(type: str):
    assert code(frame(type=type, id="1")) == "unknown-type"


@pytest.mark.parametrize(
    "data",
    [
        "", "nonsense", "[]", "7", "null", "{}", "{", '{"type":7,"id":"1"}', frame(type="accept"), frame(type="accept", id="1"),
        frame(type="accept", id=1, call="c"), frame(type="accept", id="", call="c"), frame(type="accept", id="x" * 65, call="c"),
        frame(type="accept", id="1", call="x" * 65), frame(type="hangup", id="1", call="c", reason="nonsense"),
        frame(type="call", id="1", call="c", to="a@b", description={"type": "rollback", "sdp": ""}),
        frame(type="call", id="1", call="c", to="a@b", description={"type": "offer", "sdp": "x" * 65537}),
        frame(type="candidate", id="1", call="c", candidate={"candidate": "x" * 2049}),
        frame(type="candidate", id="1", call="c", candidate={"sdpMLineIndex": -1}), frame(type="candidate", id="1", call="c"),
        frame(type="history", id="1", limit=101), '{"type":"accept","id":"1","call":"\\ud800"}', '{"type":"accept","id":"1","call":"c"}x',
    ],
)  # fmt: skip
def test_wrong_fields(data: str):
    assert code(data) == "bad-frame"


def test_depth_is_counted_outside_strings():
    def deep(levels: int) -> str:
        return '{"type":"bye","id":"1","x":' + "[" * (levels - 1) + "]" * (levels - 1) + "}"

    assert isinstance(frames.read(deep(frames.MAX_DEPTH)), m.Bye)
    assert code(deep(frames.MAX_DEPTH + 1)) == "bad-frame"
    assert code("[" * 90_000) == "bad-frame" and code('{"a":' * 15_000) == "bad-frame"
    brackets = json.dumps('[{"\\' * 30)
    assert isinstance(frames.read('{"type":"bye","id":"1","x":' + brackets + "}"), m.Bye)


def test_size_is_in_bytes():
    def sized(letter: str, count: int) -> str:
        return '{"type":"bye","id":"1","x":"' + letter * count + '"}'

    rest = len(sized("", 0))
    assert isinstance(frames.read(sized("x", frames.MAX_FRAME - rest)), m.Bye)
    assert code(sized("x", frames.MAX_FRAME - rest + 1)) == "too-big"
    assert code(sized("é", frames.MAX_FRAME // 2)) == "too-big"


def test_peek_finds_the_id_of_a_wrong_frame():
    assert frames.peek(frame(type="accept", id="7")).id == "7"
    for data in ("", "[", '{"id":7}', "[" * 50_000, "null"):
        assert frames.peek(data).id is None


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (EndpointError("not-negotiable", "why", what="add"), m.Error(id="1", code="not-negotiable", message="why", what="add")),
        (OutOfOrder("why"), m.Error(id="1", code="out-of-order", message="why")),
        (SdpError("why", line=3), m.Error(id="1", code="bad-description", message="line 3: why")),
    ],
)
def test_error_frames(error: Exception, expected: m.Error):
    assert frames.error_frame("1", error) == expected


def test_a_bug_of_ours_shows_nothing():
    shown = frames.error_frame(None, ValueError("secret"))
    assert shown.code == "internal" and "secret" not in shown.message and b'"id"' not in m.encode(shown)


@given(st.text(max_size=200))
def test_any_text_is_a_frame_or_an_endpoint_error(data: str):
    try:
        frames.read(data)
    except EndpointError as error:
        assert error.code in ("bad-frame", "unknown-type", "too-big")


LEAVES = st.none() | st.booleans() | st.floats() | st.text(max_size=5)


@pytest.mark.no_cover
@given(st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner)))
def test_any_json_in_any_place(value: Any):
    for type in m.CLIENT_TYPES:
        for field in ("id", "call", "description", "candidate", "resume", "version"):
            data = json.dumps({"type": type, "id": "1", "call": "c", "to": "a@b", "version": 1, field: value})
            try:
                frames.read(data)
            except EndpointError:
                pass


def test_every_error_class_has_a_code_of_the_closed_list():
    from jinglebridge import errors

    classes = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.ProtocolError)]
    assert len(classes) > 8 and all(c.code in m.ErrorCode.__args__ for c in classes)  # type: ignore[attr-defined]
