"""RFC 6455: what a client may send, in whatever pieces it comes. The frames of the tests are made by aiohttp's own writer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jinglebridge.web.websocket import BINARY, CLOSE, PING, PONG, TEXT, Message, Reader, Violation, accept, close_frame, header

LIMIT = 10_000


def frame(opcode: int, payload: bytes, *, last: bool = True, mask: bytes = b"\x01\x80\xff\x7e", first: int = 0) -> bytes:
    size = len(payload)
    longer = b"\xfe" + size.to_bytes(2, "big") if size < 65536 else b"\xff" + size.to_bytes(8, "big")
    length = bytes((0x80 | size,)) if size < 126 else longer
    return bytes((first | (0x80 if last else 0) | opcode,)) + length + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


pieces = st.lists(st.binary(max_size=300), min_size=1, max_size=4)
controls = st.tuples(st.sampled_from([PING, PONG, CLOSE]), st.binary(max_size=125))
kinds = st.tuples(st.sampled_from([TEXT, BINARY]), pieces, st.lists(controls, max_size=2), st.binary(min_size=4, max_size=4))


@given(st.lists(kinds, max_size=5), st.lists(st.integers(1, 400), min_size=1, max_size=20))
def test_messages_come_out_as_they_went_in(messages: list[Any], cuts: list[int]):
    """Fragments, control frames between them, any mask, any cut of the bytes."""
    data, wanted = b"", []
    for opcode, parts, between, mask in messages:
        for number, part in enumerate(parts):
            last = number == len(parts) - 1
            data += frame(opcode if number == 0 else 0, part, last=last, mask=mask)
            if not last:
                data += b"".join(frame(kind, payload) for kind, payload in between)
                wanted += between
        wanted.append((opcode, b"".join(parts)))
    reader, came = Reader(LIMIT), []
    at = 0
    while at < len(data):
        size = cuts[at % len(cuts)]
        came += reader.feed(data[at : at + size])
        at += size
    assert came == wanted


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 100_000])
def test_all_lengths(size: int):
    payload = bytes(range(256)) * (size // 256 + 1)
    assert Reader(200_000).feed(frame(TEXT, payload[:size])) == [(TEXT, payload[:size])]
    assert len(header(size)) == (2 if size < 126 else 4 if size < 65536 else 10)


@pytest.mark.parametrize(("data", "code"), [
    (b"\x81\x05hello", 1002),  # not masked
    (frame(TEXT, b"x", first=0x40), 1002), (frame(TEXT, b"x", first=0x10), 1002), (frame(3, b""), 1002), (frame(11, b""), 1002),
    (frame(PING, b"x" * 126), 1002), (frame(PING, b"", last=False), 1002), (frame(0, b"x"), 1002),
    (frame(TEXT, b"x", last=False) + frame(TEXT, b"y"), 1002),
    (frame(TEXT, b"x" * (LIMIT + 1)), 1009), (b"\x81\xff" + b"\xff" * 8 + b"mask", 1009),
    (frame(TEXT, b"x" * LIMIT, last=False) + frame(0, b"x"), 1009),
    (frame(TEXT, b"", last=False) + frame(0, b"", last=False) * 200, 1009),  # fragments of nothing are not free
])  # fmt: skip
def test_what_no_client_may_send(data: bytes, code: int):
    reader = Reader(LIMIT)
    with pytest.raises(Violation) as caught:
        reader.feed(data)
    assert caught.value.code == code
    reader = Reader(LIMIT)
    with pytest.raises(Violation):
        for byte in data:
            reader.feed(bytes((byte,)))


def test_a_size_that_is_too_big_is_seen_before_the_message_is_there():
    with pytest.raises(Violation, match="too big"):
        Reader(LIMIT).feed(frame(TEXT, b"x" * (LIMIT + 1))[:14])


def test_the_example_of_the_rfc():
    """RFC 6455 §1.3, §5.7."""
    answer = accept("dGhlIHNhbXBsZSBub25jZQ==", "chat")
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n" in answer
    masked = bytes.fromhex("818537fa213d7f9f4d5158")
    found: list[Message] = Reader(LIMIT).feed(masked)
    assert found == [(TEXT, b"Hello")]
    assert close_frame(1000, "x" * 200)[:4] == b"\x88\x7a\x03\xe8" and len(close_frame(1000, "x" * 200)) == 124
