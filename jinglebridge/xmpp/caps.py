"""XEP-0115 1.6.0 Entity Capabilities: the hash, both for what we say and for what peers say.

Spec: XEP-0115 §5.1, §5.4; J-025, J-026.
"""

from __future__ import annotations

import base64
import hashlib
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from functools import lru_cache

from jinglebridge.errors import BadRequest

NS = "http://jabber.org/protocol/caps"
INFO = "http://jabber.org/protocol/disco#info"
DATA = "jabber:x:data"


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    category: str
    type: str
    lang: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class DiscoInfo:
    """What an entity can do. `forms`: (FORM_TYPE, ((field, (values…)), …)) of XEP-0128 extensions."""

    identities: tuple[Identity, ...]
    features: frozenset[str]
    forms: tuple[tuple[str, tuple[tuple[str, tuple[str, ...]], ...]], ...] = ()

    def ver(self) -> str:
        """Base64 of the SHA-1 over the sorted parts, i;octet order."""
        parts = [f"{i.category}/{i.type}/{i.lang}/{i.name}" for i in sorted(self.identities)]
        parts += sorted(self.features)
        for form_type, fields in sorted(self.forms):
            parts.append(form_type)
            for var, values in sorted(fields):
                parts += [var, *sorted(values)]
        text = "".join(part + "<" for part in parts)
        return base64.b64encode(hashlib.sha1(text.encode()).digest()).decode()

    def build(self, node: str | None = None) -> ET.Element:
        query = ET.Element(f"{{{INFO}}}query", {"node": node} if node else {})
        for i in self.identities:
            attributes = {"category": i.category, "type": i.type, **({"name": i.name} if i.name else {})}
            ET.SubElement(query, f"{{{INFO}}}identity", attributes)
        for feature in sorted(self.features):
            ET.SubElement(query, f"{{{INFO}}}feature", {"var": feature})
        return query


def read(query: ET.Element) -> DiscoInfo:
    """A peer's disco#info. Raises BadRequest for the duplicates that a poisoned answer would need. J-026."""
    identities = [
        Identity(e.get("category", ""), e.get("type", ""), e.get("{http://www.w3.org/XML/1998/namespace}lang", ""), e.get("name", ""))
        for e in query.iterfind(f"{{{INFO}}}identity")
    ]
    features = [e.get("var", "") for e in query.iterfind(f"{{{INFO}}}feature")]
    forms = [_form(e) for e in query.iterfind(f"{{{DATA}}}x")]
    types = [form_type for form_type, _ in forms if form_type]
    if any(len(set(items)) != len(items) for items in (identities, features, types)):
        raise BadRequest("duplicates in disco#info")
    return DiscoInfo(tuple(identities), frozenset(features), tuple(f for f in forms if f[0]))


def _form(x: ET.Element) -> tuple[str, tuple[tuple[str, tuple[str, ...]], ...]]:
    fields, form_type = [], ""
    for field in x.iterfind(f"{{{DATA}}}field"):
        values = tuple(v.text or "" for v in field.iterfind(f"{{{DATA}}}value"))
        if field.get("var") == "FORM_TYPE":
            form_type = values[0] if values and field.get("type") == "hidden" else ""
        else:
            fields.append((field.get("var", ""), values))
    return form_type, tuple(fields)


def element(node: str, info: DiscoInfo) -> ET.Element:
    """The <c/> of a presence of ours."""
    return ET.Element(f"{{{NS}}}c", {"hash": "sha-1", "node": node, "ver": _own_ver(info)})


@lru_cache(maxsize=16)
def _own_ver(info: DiscoInfo) -> str:
    """What we can do has few forms, and goes with each presence to each contact."""
    return info.ver()
