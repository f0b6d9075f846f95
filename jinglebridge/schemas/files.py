"""The schema files, read once: as a validator, and as the tables from which findings take their words."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from threading import Lock
from typing import Any

from lxml import etree

XS = "{http://www.w3.org/2001/XMLSchema}"
TYPES = "types.xsd"

# Namespace -> file in this package.
FILES: dict[str, str] = {
    "urn:xmpp:jingle:1": "xep_0166.xsd",
    "urn:xmpp:jingle:errors:1": "xep_0166_errors.xsd",
    "urn:xmpp:jingle:apps:rtp:1": "xep_0167.xsd",
    "urn:xmpp:jingle:apps:rtp:errors:1": "xep_0167_errors.xsd",
    "urn:xmpp:jingle:apps:rtp:info:1": "xep_0167_info.xsd",
    "urn:xmpp:jingle:transports:ice-udp:1": "xep_0176.xsd",
    "http://gultsch.de/xmpp/drafts/jingle/transports/ice-udp/option": "ice_option.xsd",
    "urn:xmpp:jingle:muji:0": "xep_0272.xsd",
    "urn:xmpp:jingle:apps:rtp:rtcp-fb:0": "xep_0293.xsd",
    "urn:xmpp:jingle:apps:rtp:rtp-hdrext:0": "xep_0294.xsd",
    "urn:xmpp:jingle:apps:dtls:0": "xep_0320.xsd",
    "urn:xmpp:jingle:apps:grouping:0": "xep_0338.xsd",
    "urn:xmpp:jingle:apps:rtp:ssma:0": "xep_0339.xsd",
    "urn:xmpp:jingle:transports:dtls-sctp:1": "xep_0343.xsd",
    "urn:xmpp:jingle:transports:webrtc-datachannel:0": "xep_0343_channel.xsd",
    "urn:xmpp:jingle-message:0": "xep_0353.xsd",
    "urn:xmpp:jingle:transports:ice:0": "xep_0371.xsd",
    "urn:xmpp:call-invites:0": "xep_0482.xsd",
    "urn:xmpp:jingle:apps:category:0": "xep_0507.xsd",
    "urn:jinglebridge:frame:0": "urn_jinglebridge_frame_0.xsd",
    "urn:jinglebridge:sdp:0": "urn_jinglebridge_sdp_0.xsd",
}


@dataclass(frozen=True)
class Schemas:
    """The validator and what its messages refer to. All names are in Clark's form ("{namespace}tag").

    `attributes` and `texts`: the type of an attribute, (element, name), and of the text of an element. `words`: what a type expects.
    `parents`: which elements ("namespace#tag") and namespaces of ours, other than its own, an element may stand in.
    """

    validator: etree.XMLSchema
    lock: Lock = field(default_factory=Lock)
    elements: set[str] = field(default_factory=set)
    attributes: dict[str, dict[str, str]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    parents: dict[str, frozenset[str]] = field(default_factory=dict)

    def may_stand(self, element: str, parent: etree.QName) -> bool:
        """May `element` stand in `parent`, both of ours and of different namespaces?"""
        allowed = self.parents.get(element, frozenset())
        return f"{parent.namespace}#{parent.localname}" in allowed or parent.namespace in allowed


def source(name: str) -> bytes:
    """One schema file as it is in the package."""
    return (resources.files(__package__) / name).read_bytes()


class _FromPackage(etree.Resolver):
    """xs:import finds the files of the package, wherever that is installed, and nothing else."""

    def resolve(self, system_url: str | None, public_id: str | None, context: object) -> Any:
        name = (system_url or "").rpartition("/")[2]
        return self.resolve_string(source(name) if name in (TYPES, *FILES.values()) else b"", context)


@cache
def schemas() -> Schemas:
    """All schemas as one."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
    parser.resolvers.add(_FromPackage())
    imports = "".join(f'<xs:import namespace="{ns}" schemaLocation="{name}"/>' for ns, name in FILES.items())
    known = Schemas(etree.XMLSchema(etree.fromstring(f'<xs:schema xmlns:xs="{XS[1:-1]}">{imports}</xs:schema>', parser)))
    for name in (TYPES, *FILES.values()):
        _read(etree.fromstring(source(name), parser), known)
    return known


def _read(schema: etree._Element, known: Schemas) -> None:
    """Add the tables of one file."""
    target = schema.get("targetNamespace")
    for declared in schema.iterfind(f"{XS}simpleType"):
        known.words[f"{{{target}}}{declared.get('name')}"] = declared.findtext(f"{XS}annotation/{XS}documentation", "")
    for declared in schema.iterfind(f"{XS}element"):
        name = f"{{{target}}}{declared.get('name')}"
        known.elements.add(name)
        parents = declared.findtext(f"{XS}annotation/{XS}appinfo[@source='parents']")
        if parents is not None:
            known.parents[name] = frozenset(parents.split())
        shape = schema.find(f"{XS}complexType[@name='{declared.get('type')}']")
        shape = declared if shape is None else shape
        known.attributes[name] = {str(a.get("name")): _type(a, str(a.get("type"))) for a in shape.iter(f"{XS}attribute")}
        extension = shape.find(f".//{XS}extension")
        text = declared.get("type") if extension is None else extension.get("base")
        if text is not None:
            known.texts[name] = _type(declared, text)


def _type(element: etree._Element, name: str) -> str:
    """A prefixed name in Clark's form."""
    prefix, _, local = name.rpartition(":")
    return f"{{{element.nsmap[prefix or None]}}}{local}"
