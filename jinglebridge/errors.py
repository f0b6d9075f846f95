"""Every exception that jinglebridge raises on purpose.

::

    JingleBridgeError
     +- ProtocolError            the peer or the endpoint is wrong; carries the answer it gets
     |   +- BadRequest           malformed: modify/bad-request
     |   |   +- SchemaError      against the XML Schemas; carries each finding
     |   +- ItemNotFound         no such thing here: cancel/item-not-found
     |   +- UnknownSession       cancel/item-not-found + <unknown-session/>
     |   +- OutOfOrder           wait/unexpected-request + <out-of-order/>
     |   +- TieBreak             cancel/conflict + <tie-break/>
     |   +- UnsupportedInfo      cancel/feature-not-implemented + <unsupported-info/>
     |   +- ServiceUnavailable   cancel/service-unavailable
     |   +- ResourceConstraint   wait/resource-constraint: one of our limits was reached
     |   +- Forbidden            auth/forbidden: not for this sender
     |   +- CommandError         an ad-hoc command cannot go on: modify/bad-request + a condition of XEP-0050
     |   |   +- SessionExpired   cancel/not-allowed + <session-expired/>
     |   +- Refused              the description cannot be carried; names the Jingle reason to send
     |   |   +- SdpError         an SDP is malformed or too big; knows the line number
     |   +- EndpointError        a frame of the web side is wrong; carries the stable `code`
     +- InvalidState             our own code was called wrongly: a bug, logged with traceback
     +- OperatorError            the operator can mend it; `str()` says what and how, `exit_status` is the process's
         +- ConfigError          configuration file, environment or secret
         +- UsageError           options of a command that contradict each other

Protocol errors are answered in one place per shell (stanza error, JSON ``error`` frame, exit status).
The core raises nothing else on any input.
"""

from __future__ import annotations

from collections.abc import Iterable


class JingleBridgeError(Exception):
    """Base of everything raised on purpose."""


class ProtocolError(JingleBridgeError):
    """The other side sent something that it must not send. Class attributes say what it is answered.

    `type` and `condition` are the stanza error (RFC 6120 §8.3), `jingle` the condition in
    ``urn:xmpp:jingle:errors:1`` or None (XEP-0166 §10; J-078), `code` the JSON error code.
    """

    type = "modify"
    condition = "bad-request"
    jingle: str | None = None
    command: str | None = None  # condition in ``http://jabber.org/protocol/commands`` (XEP-0050 §4.6)
    code = "bad-frame"


class BadRequest(ProtocolError):
    """Malformed XML for its namespace: an attribute missing, a value out of range."""


class SchemaError(BadRequest):
    """Well-formed XML that breaks the schemas. `findings`: one text for each fault; `str()` shows the first three."""

    def __init__(self, findings: Iterable[str]) -> None:
        self.findings = tuple(findings)
        more = len(self.findings) - 3
        super().__init__("; ".join(self.findings[:3]) + (f"; and {more} more" if more > 0 else ""))


class ItemNotFound(ProtocolError):
    type, condition, code = "cancel", "item-not-found", "unknown-contact"


class UnknownSession(ProtocolError):
    type, condition, jingle, code = "cancel", "item-not-found", "unknown-session", "unknown-call"


class OutOfOrder(ProtocolError):
    type, condition, jingle, code = "wait", "unexpected-request", "out-of-order", "out-of-order"


class TieBreak(ProtocolError):
    type, condition, jingle, code = "cancel", "conflict", "tie-break", "out-of-order"


class UnsupportedInfo(ProtocolError):
    type, condition, jingle, code = "cancel", "feature-not-implemented", "unsupported-info", "not-supported"


class ServiceUnavailable(ProtocolError):
    type, condition, code = "cancel", "service-unavailable", "unavailable"


class ResourceConstraint(ProtocolError):
    type, condition, code = "wait", "resource-constraint", "rate-limited"


class Forbidden(ProtocolError):
    type, condition, code = "auth", "forbidden", "forbidden"


class CommandError(ProtocolError):
    """`command`: malformed-action, bad-action, bad-payload or bad-sessionid."""

    def __init__(self, command: str, message: str = "") -> None:
        super().__init__(message)
        self.command = command


class SessionExpired(CommandError):
    type, condition = "cancel", "not-allowed"

    def __init__(self) -> None:
        super().__init__("session-expired", "this was begun too long ago: start the command again")


class Refused(ProtocolError):
    """A description that is well-formed but cannot be carried.

    `reason` is the Jingle reason to terminate with (XEP-0166 §7.4), e.g. ``security-error``;
    `rule` the rule broken, e.g. ``J-129`` (J-261).
    """

    type, condition, code = "cancel", "not-acceptable", "bad-description"

    def __init__(self, message: str, *, reason: str = "failed-application", rule: str = "") -> None:
        super().__init__(f"{message} ({rule})" if rule else message)
        self.reason = reason
        self.rule = rule


class SdpError(Refused):
    """An SDP that does not follow its grammar or exceeds a limit. `line` counts from 1, 0 = the whole text."""

    def __init__(self, message: str, *, line: int = 0, rule: str = "") -> None:
        super().__init__(f"line {line}: {message}" if line else message, rule=rule)
        self.line = line


class EndpointError(ProtocolError):
    """A web endpoint asked for something it cannot have. `code` is one of the closed list in the JSON schema."""

    def __init__(self, code: str, message: str, *, what: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.what = what


class InvalidState(JingleBridgeError):
    """Our own caller is wrong. The peer sees internal-server-error without this text."""


class OperatorError(JingleBridgeError):
    """Something that the person who runs the bridge can mend; the text says how."""

    exit_status = 1


class ConfigError(OperatorError):
    exit_status = 2


class UsageError(OperatorError):
    exit_status = 2
