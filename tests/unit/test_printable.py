"""`printable` says what `str.isprintable` says."""

from __future__ import annotations

import sys

from jinglebridge.printable import LONG, printable


def test_every_character():
    for code in range(sys.maxunicode + 1):
        assert printable(chr(code)) == chr(code).isprintable(), hex(code)


def test_long_texts():
    for code in range(0x300):
        text = "a" * LONG + chr(code) + "b"
        assert printable(text) == text.isprintable(), hex(code)
    assert printable("") and printable("a" * 10_000) and printable("ä" * 10_000)
