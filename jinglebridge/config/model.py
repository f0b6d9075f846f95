"""The configuration's sections and keys: the only declaration of them. The sample, the reference page and the check of names are made
from it.

Spec: DESIGN §3 (Config), §5.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct


def _doc(text: str) -> Meta:
    return Meta(description=text)


Port = Annotated[int, Meta(ge=1, le=65535)]


class Xmpp(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The connection to the XMPP server (XEP-0114)."""

    domain: Annotated[str, _doc("Domain of the component, as the server has it, e.g. call.example.org. Required.")]
    server: Annotated[
        str,
        _doc("Domain of the server's own users; asked for STUN/TURN, and its users may call in. Default: domain without its first label."),
    ] = ""
    host: Annotated[str, _doc("Where the server's component port is.")] = "127.0.0.1"
    port: Annotated[Port, _doc("The component port.")] = 5347
    tls: Annotated[bool, _doc("Direct TLS to the component port; needed when host is not loopback.")] = False
    tls_ca: Annotated[str, _doc("File of CA certificates for that; default: the system's.")] = ""
    secret: Annotated[str, _doc("The component's secret. Better: secret_file.")] = ""
    secret_file: Annotated[str, _doc("File that holds the secret.")] = ""
    start_timeout: Annotated[float, _doc("Seconds to wait at start for a server that does not answer yet.")] = 10.0
    insecure_ok: Annotated[bool, _doc("Allow a plain connection to a host that is not loopback.")] = False


class Web(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The web side: page, JavaScript modules, connections of pages."""

    listen: Annotated[str, _doc("Address and port to listen on.")] = "127.0.0.1:8080"
    public_url: Annotated[
        str,
        _doc(
            "How browsers reach this, e.g. https://call.example.org. Used for links, Origin and CSP; https unless loopback. "
            "Default: http:// + listen."
        ),
    ] = ""
    allowed_origins: Annotated[
        list[str], _doc("Other sites whose pages may import the modules and connect, e.g. https://www.example.org.")
    ] = []
    tls_cert: Annotated[str, _doc("Certificate chain (PEM) when no proxy ends TLS; reloaded when the file changes.")] = ""
    tls_key: Annotated[str, _doc("Its private key (PEM).")] = ""
    trusted_proxies: Annotated[list[str], _doc("Addresses or networks whose X-Forwarded-For is believed.")] = []
    metrics: Annotated[str, _doc("Loopback address and port for /metrics (Prometheus); empty: none.")] = ""
    insecure_ok: Annotated[bool, _doc("Allow plain http on an address that is not loopback.")] = False


class Turn(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """STUN and TURN for browsers, when the XMPP server gives none by XEP-0215."""

    urls: Annotated[list[str], _doc("e.g. ['stun:turn.example.org', 'turn:turn.example.org?transport=udp'].")] = []
    secret: Annotated[str, _doc("Shared secret of the TURN server (REST credentials). Better: secret_file.")] = ""
    secret_file: Annotated[str, _doc("File that holds it.")] = ""
    lifetime: Annotated[int, Meta(ge=60), _doc("Seconds that credentials are valid; longer than the longest call.")] = 43200
    guest_lifetime: Annotated[int, Meta(ge=60), _doc("The same for guests.")] = 7200
    relay_only: Annotated[bool, _doc("Browsers use the relay only: hides their address.")] = False


class Store(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Where the bridge keeps what must survive a restart."""

    path: Annotated[str, _doc("Folder for the database, the lock and the admin socket.")] = "/var/lib/jinglebridge"
    history_days: Annotated[float, Meta(ge=0), _doc("Days that the list of calls of a web user goes back; 0 keeps none.")] = 30.0


class Policy(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Who may call whom."""

    servers: Annotated[list[str], _doc("Domains whose users may call web users. Default: xmpp.server.")] = []
    everyone: Annotated[bool, _doc("Users of any server may call web users.")] = False
    link_days: Annotated[int, Meta(ge=0), _doc("Days that a guest link may be good for at most; 0: also for ever.")] = 30
    links_per_person: Annotated[int, Meta(ge=0), _doc("Guest links that one IM user may have; 0: none are offered.")] = 50
    guests_relay_only: Annotated[bool, _doc("Guests use the TURN relay only, where there is one: hides their address.")] = True
    guests_without_turn: Annotated[
        bool, _doc("Offer guest links also without a TURN server; the guest's network address is then shown to the one who is called.")
    ] = False
    outgoing: Annotated[
        Literal["contacts", "servers", "everyone"],
        _doc("Whom web users may call: contacts and those named in the token; also everybody on policy.servers; or everyone."),
    ] = "contacts"
    blocked: Annotated[
        list[str],
        _doc("Domains and addresses that reach nobody here and that nobody here reaches, e.g. ['spam.example', 'eve@example.org']."),
    ] = []
    prove: Annotated[bool, _doc("Users of these servers may prove their address to the page, and then act there in its name.")] = True
    native: Annotated[
        bool,
        _doc("Users of these servers may call from pages with an XMPP connection of their own, in their own name, without a token."),
    ] = True
    echo: Annotated[bool, _doc("Offer the test contact echo@domain, which sends back what it hears and sees.")] = True


class TokenKey(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One table `[[tokens.keys]]`: exactly one of secret, secret_file and jwks."""

    secret: str = ""
    secret_file: str = ""
    jwks: str = ""
    prefix: str = ""


class Tokens(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The tokens (JWT) with which embedding sites let their users in."""

    secret: Annotated[str, _doc("Shared with the site (HS256); at least 32 characters. Better: secret_file.")] = ""
    secret_file: Annotated[str, _doc("File that holds it.")] = ""
    jwks: Annotated[
        str,
        _doc("Public keys of the site (RS256, ES256, EdDSA) as a JSON Web Key Set: an https URL, or a file. Fetched again as keys change."),
    ] = ""
    keys: Annotated[
        list[TokenKey],
        _doc("More keys, one table [[tokens.keys]] each: secret, secret_file or jwks; and prefix: how the names it signs begin."),
    ] = []

    @property
    def all_keys(self) -> list[TokenKey]:
        """Those of the section itself first."""
        own = [TokenKey(secret=self.secret)] if self.secret else []
        return own + ([TokenKey(jwks=self.jwks)] if self.jwks else []) + self.keys


class LimitsConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Sizes, counts and times."""

    ring: Annotated[float, Meta(gt=0), _doc("Seconds a call rings.")] = 60.0
    resume: Annotated[float, Meta(gt=0), _doc("Seconds a lost socket can be resumed.")] = 120.0
    linger: Annotated[float, Meta(ge=0), _doc("Seconds until a page that vanished without a call is shown as offline.")] = 10.0
    call: Annotated[
        float, Meta(ge=0), _doc("Seconds that a call may take; 0: a minute less than turn.lifetime, since no IM client can renew its way.")
    ] = 0.0
    sockets_per_ip: Annotated[
        int, Meta(ge=1), _doc("WebSockets and streams of one client address; with IPv6 of its network of 64 bits.")
    ] = 50
    sockets_per_person: Annotated[int, Meta(ge=1), _doc("WebSockets and streams of one person.")] = 10
    calls_per_person: Annotated[int, Meta(ge=1), _doc("Calls of one person at the same time.")] = 8
    calls_per_minute: Annotated[int, Meta(ge=1), _doc("Calls one person, or one caller from outside, may start in a minute.")] = 6
    calls_per_minute_domain: Annotated[int, Meta(ge=1), _doc("Calls that may come in from one foreign domain in a minute.")] = 20


class Log(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Logging, to standard error."""

    level: Annotated[str, Meta(pattern="^(debug|info|warning|error)$"), _doc("debug, info, warning or error.")] = "info"
    format: Annotated[str, Meta(pattern="^(text|json)$"), _doc("text for people, json for machines.")] = "text"


class Admin(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The unix socket that doctor, calls and stop talk to."""

    socket: Annotated[str, _doc("Its path. Default: admin.sock in store.path.")] = ""
    texts: Annotated[
        bool, _doc("Keep SDP, candidates and stanzas of the last calls in memory, for `calls show --unsafe`; never on disk or in the log.")
    ] = True


class Config(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The whole file."""

    xmpp: Xmpp
    web: Web = Web()
    turn: Turn = Turn()
    store: Store = Store()
    policy: Policy = Policy()
    tokens: Tokens = Tokens()
    limits: LimitsConfig = LimitsConfig()
    log: Log = Log()
    admin: Admin = Admin()

    @property
    def server(self) -> str:
        """Domain of the XMPP server's own users."""
        return self.xmpp.server or self.xmpp.domain.partition(".")[2] or self.xmpp.domain

    @property
    def servers(self) -> frozenset[str]:
        """Domains whose users the bridge is for."""
        return frozenset(self.policy.servers or [self.server])

    @property
    def longest_call(self) -> float:
        """Seconds. Credentials of a relay must outlive it."""
        return self.limits.call or _outlived_by(self.turn.lifetime)

    @property
    def longest_guest_call(self) -> float:
        return min(self.longest_call, _outlived_by(self.turn.guest_lifetime))

    @property
    def public_url(self) -> str:
        return (self.web.public_url or f"http{'s' if self.web.tls_cert else ''}://{self.web.listen}").rstrip("/")

    @property
    def admin_socket(self) -> Path:
        return Path(self.admin.socket) if self.admin.socket else Path(self.store.path) / "admin.sock"


def _outlived_by(lifetime: float) -> float:
    """How long a call may be if credentials that are good for `lifetime` seconds were given before it was answered."""
    return max(lifetime - 60.0, lifetime / 2)
