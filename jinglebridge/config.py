"""The configuration: one TOML file, each key also as an environment variable, each secret also as a file.

The structs below are the only declaration; the sample, the reference page and the check of names are made from them
(`jinglebridge check-config` runs `load`). A key ``web.public_url`` is ``JINGLEBRIDGE_WEB_PUBLIC_URL`` in the environment.

Spec: DESIGN §3 (Config), §5.
"""

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from jinglebridge.errors import ConfigError


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
    """The web side: page, JavaScript modules, WebSocket."""

    listen: Annotated[str, _doc("Address and port to listen on.")] = "127.0.0.1:8080"
    public_url: Annotated[
        str,
        _doc(
            "How browsers reach this, e.g. https://call.example.org. Used for links, Origin and CSP; https unless loopback. "
            "Default: http:// + listen."
        ),
    ] = ""
    allowed_origins: Annotated[
        list[str], _doc("Other sites whose pages may import the modules and open the WebSocket, e.g. https://www.example.org.")
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
    sockets_per_ip: Annotated[int, Meta(ge=1), _doc("WebSockets of one client address; with IPv6 of its network of 64 bits.")] = 50
    sockets_per_person: Annotated[int, Meta(ge=1), _doc("WebSockets of one person.")] = 10
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


SECRETS = (("xmpp", "secret"), ("turn", "secret"), ("tokens", "secret"))


def load(path: Path, environment: Mapping[str, str] | None = None) -> Config:
    """Read, complete from the environment and from secret files, and check. Raises ConfigError, which names key and cure."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; docs/reference has a commented sample") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    _from_environment(data, os.environ if environment is None else environment)
    _read_secret_files(data, path.parent)
    _resolve_key_sets(data, path.parent)
    try:
        config = msgspec.convert(data, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {_explain(str(error))}") from None
    _check(config, path)
    return config


def _from_environment(data: dict[str, Any], environment: Mapping[str, str]) -> None:
    for name, text in environment.items():
        if not name.startswith("JINGLEBRIDGE_"):
            continue
        section, _, key = name.removeprefix("JINGLEBRIDGE_").lower().partition("_")
        struct = get_type_hints(Config).get(section)
        if struct is None or key not in getattr(struct, "__struct_fields__", ()):
            raise ConfigError(f"environment variable {name}: there is no such key")
        hint = get_type_hints(struct)[key]
        if hint is str:
            value: Any = text
        else:
            try:
                value = tomllib.loads(f"v = {text}")["v"]
            except tomllib.TOMLDecodeError:
                raise ConfigError(f"environment variable {name}: {text!r} is not a TOML value") from None
        table = data.setdefault(section, {})
        if isinstance(table, dict):  # anything else is refused with the file
            table[key] = value


def _read_secret_files(data: dict[str, Any], folder: Path) -> None:
    for section, key in SECRETS:
        table = data.get(section)
        if isinstance(table, dict):
            _read_secret_file(table, f"[{section}]", key, folder)
    for number, table in _token_keys(data):
        _read_secret_file(table, f"[[tokens.keys]] {number}:", "secret", folder)


def _token_keys(data: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """The tables [[tokens.keys]] with their numbers; what is of another type is refused later."""
    tokens = data.get("tokens")
    keys = tokens.get("keys") if isinstance(tokens, dict) else None
    return [(n, key) for n, key in enumerate(keys if isinstance(keys, list) else [], 1) if isinstance(key, dict)]


def _read_secret_file(table: dict[str, Any], where: str, key: str, folder: Path) -> None:
    name = table.get(f"{key}_file")
    if not name or not isinstance(name, str):
        return
    if table.get(key):
        raise ConfigError(f"{where} {key} and {key}_file are both set; keep one")
    try:
        table[key] = (folder / name).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{where} {key}_file: {error.strerror}: {folder / name}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{where} {key}_file: {folder / name} is not text") from None


def _resolve_key_sets(data: dict[str, Any], folder: Path) -> None:
    """Key sets that are files lie beside the configuration, as files of secrets do."""
    tokens = data.get("tokens")
    for table in [tokens, *(key for _, key in _token_keys(data))]:
        name = table.get("jwks") if isinstance(table, dict) else None
        if isinstance(table, dict) and name and isinstance(name, str) and "://" not in name:
            table["jwks"] = str(folder / name)


def _explain(text: str) -> str:
    """msgspec's message in the words of the file: the section in brackets, the key by name."""
    what, _, where = text.partition(" - at `$")
    where = where.rstrip("`").lstrip(".")
    what = what.replace("Object contains unknown field", "unknown key").replace("Object missing required field", "missing key")
    if not where:
        return what
    section, _, key = where.partition(".")
    return f"[{section}] {key + ': ' if key else ''}{what}"


def _check(config: Config, path: Path) -> None:
    """What types cannot say."""
    if not config.xmpp.secret:
        raise ConfigError(f"{path}: [xmpp] secret or secret_file is missing: put in what the server has for {config.xmpp.domain}")
    for key, domain in (("domain", config.xmpp.domain), ("server", config.server)):
        if not domain or domain != domain.lower() or any(c in "@/" or c.isspace() for c in domain):
            raise ConfigError(f"{path}: [xmpp] {key} is not a domain in lower case: {domain!r}")
    if not (config.xmpp.tls or config.xmpp.insecure_ok or is_loopback(config.xmpp.host)):
        raise ConfigError(
            f"{path}: [xmpp] host {config.xmpp.host} is not loopback: set tls = true (or insecure_ok = true in a private network)"
        )
    _check_tokens(config.tokens, path)
    if bool(config.web.tls_cert) != bool(config.web.tls_key):
        raise ConfigError(f"{path}: [web] tls_cert and tls_key go together")
    host, _ = split_address(config.web.listen, "[web] listen")
    if not (config.web.tls_cert or config.web.insecure_ok or is_loopback(host)):
        raise ConfigError(f"{path}: [web] listen {host} is not loopback: set tls_cert and tls_key, or listen on 127.0.0.1 behind a proxy")
    try:
        url = urlsplit(config.public_url)
    except ValueError as error:
        raise ConfigError(f"{path}: [web] public_url: {error}: {config.public_url!r}") from None
    if url.scheme not in ("http", "https") or not url.hostname or url.path or url.query:
        raise ConfigError(f"{path}: [web] public_url must look like https://call.example.org, not {config.public_url!r}")
    if url.scheme == "http" and not is_loopback(url.hostname):
        raise ConfigError(f"{path}: [web] public_url must be https: browsers give no camera or microphone to http pages")
    if config.limits.call and config.limits.call >= config.turn.lifetime:
        raise ConfigError(
            f"{path}: [limits] call must be less than [turn] lifetime, {config.turn.lifetime}: relayed calls would fall silent"
        )
    if config.web.metrics and not is_loopback(split_address(config.web.metrics, "[web] metrics")[0]):
        raise ConfigError(f"{path}: [web] metrics must be a loopback address")
    for proxy in config.web.trusted_proxies:
        try:
            ipaddress.ip_network(proxy, strict=False)
        except ValueError:
            raise ConfigError(f"{path}: [web] trusted_proxies: {proxy!r} is not an address or network") from None
    for domain in config.policy.servers:
        if not domain or domain != domain.lower() or any(c in "@/*" or c.isspace() for c in domain):
            raise ConfigError(f"{path}: [policy] servers: {domain!r} is not a domain in lower case (all servers: everyone = true)")
    for address in config.policy.blocked:
        if not address or address != address.lower() or any(c in "/*" or c.isspace() for c in address) or address.count("@") > 1:
            raise ConfigError(f"{path}: [policy] blocked: {address!r} is not a domain or an address like eve@example.org, in lower case")


def _outlived_by(lifetime: float) -> float:
    """How long a call may be if credentials that are good for `lifetime` seconds were given before it was answered."""
    return max(lifetime - 60.0, lifetime / 2)


def _check_tokens(tokens: Tokens, path: Path) -> None:
    for number, key in enumerate(tokens.keys, 1):
        if bool(key.secret) == bool(key.jwks):
            raise ConfigError(f"{path}: [[tokens.keys]] {number}: needs one of secret, secret_file and jwks")
        if key.prefix != key.prefix.lower() or not key.prefix.isprintable() or any(c in "@/" or c.isspace() for c in key.prefix):
            raise ConfigError(f"{path}: [[tokens.keys]] {number}: prefix {key.prefix!r} must be lower case, without blanks, @ and /")
        if key.prefix.startswith("guest-"):
            raise ConfigError(f"{path}: [[tokens.keys]] {number}: no name may begin with guest-, so this key could sign nothing")
    for key in tokens.all_keys:
        if key.secret and len(key.secret) < 32:
            raise ConfigError(f"{path}: [tokens] secret is shorter than 32 characters: make one with `openssl rand -hex 32`")
        if "://" in key.jwks and not _fit_for_keys(key.jwks):
            raise ConfigError(f"{path}: [tokens] jwks must be a file or an https URL: who can change it can be anybody")


def _fit_for_keys(url: str) -> bool:
    """May public keys come from there? https; plain http from this machine only."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    if not parts.hostname or parts.username is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def split_address(text: str, key: str) -> tuple[str, int]:
    """`host:port`. Raises ConfigError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise ConfigError(f"{key} must look like 127.0.0.1:8080, not {text!r}")
    return host.strip("[]"), int(port)


def sample() -> str:
    """A commented configuration with every key at its default; required keys are filled with examples."""
    lines = ["# jinglebridge configuration. Every key is here; those after a # are at their default.", ""]
    for section, struct in get_type_hints(Config).items():
        lines += [f"# {(struct.__doc__ or '').strip()}", f"[{section}]"]
        for field, info in zip(msgspec.structs.fields(struct), msgspec.inspect.type_info(struct).fields, strict=True):  # type: ignore[attr-defined]
            description = (getattr(info.type, "extra_json_schema", None) or {}).get("description", "")
            example = _EXAMPLES.get((section, field.name))
            default = "" if field.default is msgspec.NODEFAULT else field.default
            if field.default_factory is not msgspec.NODEFAULT:
                default = field.default_factory()
            text = f"{field.name} = {_toml(default if example is None else example)}"
            lines += [f"# {description}", text if example is not None else f"# {text}", ""]
    return "\n".join(lines).rstrip() + "\n"


_EXAMPLES = {
    ("xmpp", "domain"): "call.example.org",
    ("xmpp", "secret_file"): "component.secret",
    ("web", "public_url"): "https://call.example.org",
    ("tokens", "secret_file"): "tokens.secret",
}


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)
