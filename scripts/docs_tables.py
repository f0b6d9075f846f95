"""The generated tables of docs/reference and docs/topics: configuration, commands, errors, XEPs, metrics, limits."""

from __future__ import annotations

import argparse
import ast
import importlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
from prometheus_client import CollectorRegistry

from jinglebridge import cli, config
from jinglebridge.calls.reasons import END_REASONS, FROM_JINGLE, TO_JINGLE
from jinglebridge.errors import OperatorError, ProtocolError
from jinglebridge.jingle import XEPS
from jinglebridge.service import bridge as _everything  # noqa: F401 (declares all errors)
from jinglebridge.service.metrics import Metrics
from jinglebridge.translate.policy import POLICIES, PeerPolicy
from jinglebridge.web.messages import ErrorCode
from jinglebridge.xmpp import native
from jinglebridge.xmpp.link import LinkError

PACKAGE = Path(cli.__file__).parent


def table(head: str, rows: Iterable[Iterable[object]]) -> str:
    """`head`: the titles, separated by " | "."""
    titles = head.split(" | ")
    lines = [f"| {head} |", "|" + "---|" * len(titles)]
    lines += ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


# --- configuration and commands


def configuration() -> str:
    parts = []
    for section, struct in get_type_hints(config.Config).items():
        rows = []
        for field, info in zip(msgspec.structs.fields(struct), msgspec.inspect.type_info(struct).fields, strict=True):  # type: ignore[attr-defined]
            meaning = (getattr(info.type, "extra_json_schema", None) or {}).get("description", "")
            environment = f"`JINGLEBRIDGE_{section}_{field.name}`".upper()
            rows.append((f"`{field.name}`", _default(field), meaning, environment))
        head = "Key | Default | What it is | Environment"
        parts.append(f"### [{section}]\n\n{(struct.__doc__ or '').strip()}\n\n{table(head, rows)}\n")
    return "\n".join(parts)


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    return f"`{msgspec.json.encode(value).decode()}`"


def command_line() -> str:
    parts = []
    for name, (module, add_arguments, _, text) in cli.COMMANDS.items():
        parser = argparse.ArgumentParser(prog=f"jinglebridge {name}", description=text)
        getattr(importlib.import_module(f"jinglebridge.{module}"), add_arguments)(parser)
        parts.append(f"## {name}\n\n{text[0].upper() + text[1:]}.\n\n{_command(parser)}")
    return "\n".join(parts)


def _command(parser: argparse.ArgumentParser) -> str:
    actions = [a for a in parser._actions if not isinstance(a, argparse._HelpAction)]
    nested = [a for a in actions if isinstance(a, argparse._SubParsersAction)]
    if nested:
        return "\n".join(_command(sub) for sub in nested[0].choices.values())
    formatter = argparse.HelpFormatter(parser.prog)
    rows = [(f"`{_invocation(a)}`", formatter._expand_help(a) if a.help else "") for a in actions]
    usage = " ".join([parser.prog, *(_usage(a) for a in actions)])
    return f"```\n{usage}\n```\n\n{table('Argument | What it is', rows)}\n"


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    name = action.metavar if isinstance(action.metavar, str) else action.dest.upper() if action.option_strings else action.dest
    return "|".join(map(str, action.choices)) if action.choices else name


def _invocation(action: argparse.Action) -> str:
    return " ".join(filter(None, [", ".join(action.option_strings), _value(action)]))


def _usage(action: argparse.Action) -> str:
    optional = not action.required if action.option_strings else action.nargs == "?"
    return f"[{_invocation(action)}]" if optional else _invocation(action)


def exit_statuses() -> str:
    classes: list[type[OperatorError]] = [OperatorError, *_subclasses(OperatorError)]
    wrong = ", ".join(f"`{c.__name__}`" for c in classes if c.exit_status == 2)
    server = ", ".join(f"`{c.__name__}`" for c in classes if c.exit_status == LinkError.exit_status)
    return table(
        "Status | Meaning",
        [
            (0, "good; for `run`: stopped in good order"),
            (1, "something that the operator can mend; one line on standard error says what. For `doctor`: something is bad"),
            (2, f"wrong arguments or configuration ({wrong})"),
            (LinkError.exit_status, f"the XMPP server cannot be used as configured ({server})"),
            (130, "interrupted from the keyboard"),
        ],
    )


def _subclasses(cls: type[Any]) -> Iterator[type[Any]]:
    """In the order of declaration; only those of this package, whatever else is loaded."""
    for sub in cls.__subclasses__():
        if sub.__module__.startswith("jinglebridge."):
            yield sub
            yield from _subclasses(sub)


# --- errors

_CODES = {
    "bad-frame": "The frame is not JSON, nested too deep, or has a field of the wrong type",
    "too-big": "The frame is over the limit (`welcome.limits.frame`)",
    "unknown-type": "This server does not know the `type`; nothing else happened",
    "bad-version": "`hello.version` is not spoken here: the page is older or newer than the bridge",
    "hello-first": "A frame before `hello`",
    "not-authorized": "Token, device, code or resume secret refused; get a new token",
    "token-expired": "The token is too old to connect with; get a new one",
    "forbidden": "This person may not call that address: name it in the token's `contacts` or `may_call`",
    "not-supported": "Part of the protocol, but not offered by this server (`welcome.features`)",
    "not-negotiable": "The peer cannot take this offer; `what` says which part. Roll back, the call goes on",
    "unknown-call": "No such call, or it is over",
    "duplicate-call": "The call id was used before: draw a random one for each call",
    "unknown-contact": "Not an address",
    "out-of-order": "Not now, for example an answer without an offer",
    "bad-description": "The SDP is refused; the message says why",
    "bad-candidate": "The candidate cannot be read, or belongs to no section of the call",
    "rate-limited": "One of the `[limits]` was reached; wait",
    "unavailable": "No connection to the XMPP server at the moment; try again",
    "draining": "The bridge is being stopped; reconnect soon",
    "internal": "A fault of the bridge; the operator's log has it",
}
_REASONS = {
    "ended": "Somebody hung up",
    "cancelled": "The caller gave up before an answer",
    "declined": "The callee said no",
    "busy": "The callee is in another call",
    "no-answer": "It rang and nobody came",
    "elsewhere": "Another page or device of the same person answered",
    "unreachable": "No such contact, not allowed, or no device that can take the call",
    "failed-ice": "No way for the media was found, or it broke",
    "failed-media": "The two sides have no codec or description in common, or microphone and camera could not be opened",
    "insecure": "No DTLS fingerprint, or media that differs from what was proposed",
    "gone": "The other side vanished, or a restart lost the call",
    "overload": "Too many calls",
    "too-long": "The longest time that a call may take is over (`[limits] call`)",
    "moved": "Replaced by another call, for example when both called each other",
    "failed": "Anything else",
}


_EXCEPTIONS = {
    "BadRequest": "Malformed: an attribute is missing, a value is out of range",
    "SchemaError": "Against the XML Schemas; only where somebody asked for the check",
    "ItemNotFound": "No such thing here",
    "UnknownSession": "No such session, or it is with somebody else",
    "OutOfOrder": "Not now: the tables of states do not have it",
    "TieBreak": "Both called at once, and the other session goes on",
    "UnsupportedInfo": "A session-info or security-info that is not known here",
    "ServiceUnavailable": "Nobody is there, or nobody for you",
    "Forbidden": "The gateway's commands are for users of the bridge's own servers",
    "CommandError": "An ad-hoc command cannot go on; its condition is one of XEP-0050",
    "SessionExpired": "The form of an ad-hoc command lay open too long",
    "ResourceConstraint": "One of the limits was reached",
    "Refused": "The description cannot be carried. A session that exists ends with the Jingle reason of the rule instead",
    "SdpError": "An SDP is malformed or too big; the message names the line",
    "TooBig": "A stanza is too deep, too large, or has too many elements",
}


def _same(words: dict[str, str], declared: Iterable[str]) -> dict[str, str]:
    if difference := set(words) ^ set(declared):
        raise SystemExit(f"scripts/docs_tables.py and the code differ in {', '.join(sorted(difference))}")
    return words


def error_codes() -> str:
    return table("Code | Meaning", ((f"`{code}`", text) for code, text in _same(_CODES, get_args(ErrorCode)).items()))


def end_reasons() -> str:
    def row(reason: str, text: str) -> tuple[str, ...]:
        session, finish = TO_JINGLE[reason]
        understood = ", ".join(f"`{word}`" for word, meant in FROM_JINGLE.items() if meant == reason)
        return f"`{reason}`", text, f"`{session}`", f"`{finish}`", understood

    head = "Reason | Meaning | We say in session-terminate | We say in finish | Understood from the peer"
    return table(head, (row(*item) for item in _same(_REASONS, END_REASONS).items()))


def stanza_errors() -> str:
    declared = {cls.__name__: cls for cls in _subclasses(ProtocolError) if cls.__name__ != "EndpointError"}  # of the web side only
    rows = []
    for name, text in _same(_EXCEPTIONS, declared).items():
        cls = declared[name]
        rows.append((f"`{name}`", text, f"`{cls.type}`", f"`{cls.condition}`", f"`{cls.jingle}`" if cls.jingle else "", f"`{cls.code}`"))
    return table("Exception | When | Type | Condition | Jingle condition | JSON code", rows)


# --- XEPs

_SHELL = (
    ("0004", "Data Forms", "of the gateway's commands", "xmpp/xep_0004.py"),
    ("0030", "Service Discovery", "the gateway, each person, each web session, and the test contact", "xmpp/disco.py"),
    ("0050", "Ad-Hoc Commands", "at the gateway's address: guest links, do not disturb, blocking", "xmpp/xep_0050.py"),
    ("0054", "vcard-temp", "name and picture of a person, for those who see their presence", "xmpp/vcard.py"),
    ("0084", "User Avatar", "both nodes are answered, nothing is pushed", "xmpp/vcard.py"),
    ("0092", "Software Version", "answered for the gateway and each web session", "xmpp/disco.py"),
    ("0070", "Verifying HTTP Requests via XMPP", "proof of an XMPP address: asked in a message, never answered", "service/proof.py"),
    ("0106", "JID Escaping", "user names of tokens become local parts", "jid.py"),
    ("0114", "Jabber Component Protocol", "the connection to the server", "xmpp/component.py"),
    ("0115", "Entity Capabilities", "sent with every presence; those of peers are verified and kept", "xmpp/caps.py"),
    ("0153", "vCard-Based Avatars", "the hash of the person's picture, in presence", "xmpp/vcard.py"),
    ("0172", "User Nickname", "the person's name, in presence and in requests; read from peers", "xmpp/presence.py"),
    ("0184", "Message Delivery Receipts", "sent for a propose that asks for one", "service/ears.py"),
    ("0199", "XMPP Ping", "answered", "xmpp/disco.py"),
    ("0203", "Delayed Delivery", "an old propose is a missed call, it does not ring", "service/ears.py"),
    ("0215", "External Service Discovery", "STUN and TURN asked of the server, for each web session", "xmpp/extdisco.py"),
    ("0334", "Message Processing Hints", "`store` on call messages, `no-permanent-store` on the code of a proof", "service/performer.py"),
)


def native_conditions() -> str:
    """Error codes of frames as stanza errors."""
    rows: dict[tuple[str, str], list[str]] = {}
    for code, condition in native.CONDITIONS.items():
        rows.setdefault(condition, []).append(f"`{code}`")
    return table("Condition | Type | Codes", ((f"`{name}`", kind, ", ".join(codes)) for (kind, name), codes in rows.items()))


def xeps() -> str:
    rows = [(_link(x.number), x.title, x.version, "<br>".join(f"`{n}`" for n in x.namespaces), f"`{x.file}`") for x in XEPS]
    jingle = table("XEP | Title | Version | Namespace | File", rows)
    shell = table("XEP | Title | What for | File", ((_link(n), title, what, f"`{file}`") for n, title, what, file in _SHELL))
    return f"### Calls\n\n{jingle}\n\n### Everything around them\n\n{shell}"


def _link(number: str) -> str:
    return f"[{number}](https://xmpp.org/extensions/xep-{number}.html)"


# --- metrics, limits, policies


def metrics() -> str:
    rows = [(f"`{m.name}{'_total' if m.type == 'counter' else ''}`", m.type, m.documentation) for m in _collected(Metrics().registry)]
    rows += [(f"`jinglebridge_{name}`", "gauge", text) for name, text in _gauges()]
    return table("Name | Type | Meaning", rows)


def _collected(registry: CollectorRegistry) -> list[Any]:
    return list(registry.collect())


def _gauges() -> Iterator[tuple[str, str]]:
    """The calls of `metrics.gauge(name, text, …)` in the wiring."""
    for node in ast.walk(ast.parse((PACKAGE / "service" / "bridge.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "gauge":
            name, text = (ast.literal_eval(argument) for argument in node.args[:2])
            yield name, text


_LIMITS = (
    ("xmpp.guard", "MAX_DEPTH", "levels of nesting in a stanza", 1),
    ("xmpp.guard", "MAX_ELEMENTS", "elements in a stanza", 1),
    ("xmpp.guard", "MAX_SIZE", "KiB of a stanza", 1024),
    ("jingle.xep_0166", "MAX_CONTENTS", "contents of a session", 1),
    ("sdp.grammar", "MAX_BYTES", "KiB of an SDP", 1024),
    ("sdp.grammar", "MAX_LINES", "lines of an SDP", 1),
    ("sdp.grammar", "MAX_MEDIA", "sections of an SDP", 1),
    ("calls.candidates", "MAX_WAITING", "candidates held back per side", 1),
    ("calls.record", "MAX_STEPS", "steps of a call's timeline (a candidate that is passed on is one)", 1),
    ("calls.record", "MAX_WORDS", "KiB of different steps of a call", 1024),
    ("calls.timeline", "MAX_ENDED", "calls that are over, in the timeline", 1),
    ("calls.timeline", "MAX_TEXTS", "KiB of SDP and stanzas kept for `calls show --unsafe`", 1024),
    ("web.frames", "MAX_FRAME", "KiB of a frame", 1024),
    ("web.frames", "MAX_DEPTH", "levels of nesting in a frame", 1),
    ("web.connection", "HELLO_WITHIN", "seconds until `hello`", 1),
    ("web.connection", "MAX_QUEUE", "KiB waiting for a slow page, then close code 1013", 1024),
    ("web.connection", "BURST", "frames of a page that are handled at once", 1),
    ("web.connection", "PACE", "frames of a page that are handled in a second after that", 1),
    ("web.sessions", "MAX_EVENTS", "events kept for a page that reconnects", 1),
    ("web.sessions", "MAX_BUFFER", "KiB of these events", 1024),
    ("web.tokens", "MAX_LIFETIME", "seconds that a token may be valid", 1),
    ("web.tokens", "MAX_CONTACTS", "addresses in a token", 1),
    ("web.jwks", "MAX_SIZE", "KiB of a set of public keys", 1024),
    ("web.jwks", "MAX_KEYS", "keys in a set", 1),
    ("web.jwks", "MAX_AGE", "seconds until a key that was taken out of its set is no key any more", 1),
    ("service.door", "MAX_FAILURES", "wrong credentials from one client address in ten minutes", 1),
    ("service.devices", "MAX_DEVICES", "devices of one person; the least used one gives way", 1),
    ("service.devices", "LIFETIME", "days until a device that is not used is signed out", 86400),
    ("service.links", "GUESSES", "wrong codes of guest links from one network in a minute", 1),
    ("service.links", "VISITS", "guests that come by one link in a minute", 1),
    ("service.links", "CALLS", "calls by one link in a minute", 1),
    ("service.gateway", "LINES", "commands of one IM user in a minute", 1),
    ("xmpp.xep_0050", "LIFETIME", "seconds that the form of a command may lie open", 1),
    ("xmpp.xep_0050", "MAX_OF_ONE", "open forms of one IM user", 1),
    ("xmpp.xep_0050", "MAX_SESSIONS", "open forms of all", 1),
    ("service.owners", "MAX_BLOCKS", "addresses that one IM user may block", 1),
    ("service.proof", "LIFETIME", "seconds to prove an address", 1),
    ("service.proof", "MAX_TRIES", "wrong codes for one proof", 1),
    ("service.proof", "PER_JID", "proofs of one address in an hour", 1),
    ("service.proof", "PER_ADDRESS", "proofs from one client address in an hour", 1),
    ("service.proof", "PER_DOMAIN", "proofs of addresses of one server in a minute", 1),
    ("service.proof", "MAX_OPEN", "proofs at the same time", 1),
    ("service.natives", "HELLOS", "`hello` in stanzas from one bare address in a minute", 1),
    ("service.natives", "ACK_WITHIN", "seconds until an event in a stanza must be acknowledged", 1),
    ("service.native_line", "ASK_AFTER", "seconds of silence after which a page by XMPP is asked whether it is there", 1),
    ("service.native_line", "MAX_OPEN", "answers that a page by XMPP may wait for at once", 1),
    ("media.echo", "MAX_CALLS", "calls of the echo contact at once", 1),
)


def limits() -> str:
    def value(module: str, name: str, unit: int) -> str:
        number = getattr(importlib.import_module(f"jinglebridge.{module}"), name) / unit
        return f"{number:g}"

    rows = ((what, value(module, name, unit), f"`{module.replace('.', '/')}.py: {name}`") for module, name, what, unit in _LIMITS)
    return table("What | At most | Where", rows)


_HELD_BACK = {
    "transport": "XEP-0176: the peer knows XEP-0371 only",
    "udp_only": "TCP candidates",
    "literals_only": "candidates with `.local` names",
    "sha256_only": "fingerprints beside one of SHA-256",
    "end_of_candidates": "the end of candidates",
    "trickle": "silence about trickling: `<trickle/>` is added",
    "reduced_size": "`<rtcp-reduced-size/>`",
    "cname_and_msid_only": "parameters of sources other than `cname` and `msid`",
    "plain_parameters": "format parameters without value, with blanks, or without name beside others",
    "one_bandwidth": "a second bandwidth",
    "rid": "header extensions of simulcast",
    "none_senders": "`senders='none'`: the peer may send instead, and nobody need",
    "groups": "groups",
    "data": "data channels",
    "extensions": "the private namespace",
    "one_candidate": "a second candidate in a `transport-info`",
    "one_content": "a second content in a `transport-info`",
}


def policies() -> str:
    """The peer policies: what each leaves out, that is, where it differs from `none`."""
    words = _same(_HELD_BACK, (f for f in PeerPolicy.__dataclass_fields__ if f != "name"))
    none = POLICIES["none"]
    rows = [(text, *("x" if getattr(p, f) != getattr(none, f) else "" for p in POLICIES.values())) for f, text in words.items()]
    return table(" | ".join(["Left out", *(f"`{name}`" for name in POLICIES)]), rows)
