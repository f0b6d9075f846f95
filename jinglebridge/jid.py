"""XEP-0106 1.1.1 JID Escaping: any user name as the local part of an address.

Spec: XEP-0106 §3; J-032.
"""

from __future__ import annotations

from jinglebridge.errors import BadRequest

_CODES = {" ": "20", '"': "22", "&": "26", "'": "27", "/": "2f", ":": "3a", "<": "3c", ">": "3e", "@": "40"}
_BACK = {code: char for char, code in _CODES.items()} | {"5c": "\\"}


def escape(name: str) -> str:
    """The local part for a user name. Raises BadRequest for a name that begins or ends with a blank, or is empty or too long."""
    if not name or name != name.strip() or len(name) > 256 or not name.isprintable():
        raise BadRequest("not a user name")
    out = []
    for i, char in enumerate(name):
        if char == "\\" and name[i + 1 : i + 3] in _BACK:
            out.append("\\5c")  # only where it would read as an escape
        else:
            out.append(f"\\{_CODES[char]}" if char in _CODES else char)
    return "".join(out)


def unescape(local: str) -> str:
    """Inverse of `escape`."""
    out, i = [], 0
    while i < len(local):
        code = local[i + 1 : i + 3]
        if local[i] == "\\" and code in _BACK:
            out.append(_BACK[code])
            i += 3
        else:
            out.append(local[i])
            i += 1
    return "".join(out)
