"""What types cannot say of a configuration. Each problem names its key and the cure."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from urllib.parse import urlsplit

from jinglebridge.config.model import Config, Tokens
from jinglebridge.errors import ConfigError


def check(config: Config, path: Path) -> None:
    """Raises ConfigError for a configuration, read from `path`, that could not work or would not be safe."""
    _check_xmpp(config, path)
    _check_tokens(config.tokens, path)
    _check_listeners(config, path)
    _check_public_url(config, path)
    _check_origins(config, path)
    _check_policy(config, path)
    if config.limits.call and config.limits.call >= config.turn.lifetime:
        raise ConfigError(
            f"{path}: [limits] call must be less than [turn] lifetime, {config.turn.lifetime}: relayed calls would fall silent"
        )


def _check_xmpp(config: Config, path: Path) -> None:
    if not config.xmpp.secret:
        raise ConfigError(f"{path}: [xmpp] secret or secret_file is missing: put in what the server has for {config.xmpp.domain}")
    for key, domain in (("domain", config.xmpp.domain), ("server", config.server)):
        if not domain or domain != domain.lower() or any(c in "@/" or c.isspace() for c in domain):
            raise ConfigError(f"{path}: [xmpp] {key} is not a domain in lower case: {domain!r}")
    if not (config.xmpp.tls or config.xmpp.insecure_ok or is_loopback(config.xmpp.host)):
        raise ConfigError(
            f"{path}: [xmpp] host {config.xmpp.host} is not loopback: set tls = true (or insecure_ok = true in a private network)"
        )


def _check_listeners(config: Config, path: Path) -> None:
    if bool(config.web.tls_cert) != bool(config.web.tls_key):
        raise ConfigError(f"{path}: [web] tls_cert and tls_key go together")
    host, _ = split_address(config.web.listen, "[web] listen")
    if not (config.web.tls_cert or config.web.insecure_ok or is_loopback(host)):
        raise ConfigError(f"{path}: [web] listen {host} is not loopback: set tls_cert and tls_key, or listen on 127.0.0.1 behind a proxy")
    if config.web.metrics and not is_loopback(split_address(config.web.metrics, "[web] metrics")[0]):
        raise ConfigError(f"{path}: [web] metrics must be a loopback address")
    for proxy in config.web.trusted_proxies:
        try:
            ipaddress.ip_network(proxy, strict=False)
        except ValueError:
            raise ConfigError(f"{path}: [web] trusted_proxies: {proxy!r} is not an address or network") from None


def _check_public_url(config: Config, path: Path) -> None:
    try:
        url = urlsplit(config.public_url)
    except ValueError as error:
        raise ConfigError(f"{path}: [web] public_url: {error}: {config.public_url!r}") from None
    if url.scheme not in ("http", "https") or not url.hostname or url.path or url.query:
        raise ConfigError(f"{path}: [web] public_url must look like https://call.example.org, not {config.public_url!r}")
    if url.scheme == "http" and not is_loopback(url.hostname):
        raise ConfigError(f"{path}: [web] public_url must be https: browsers give no camera or microphone to http pages")


def _check_origins(config: Config, path: Path) -> None:
    for origin in config.web.allowed_origins:
        if not re.fullmatch(r"[A-Za-z][\w+.-]*://[^/?#@\s*]+/?", origin):
            text = f"{origin!r} must look like https://www.example.org, without a path"
            raise ConfigError(f"{path}: [web] allowed_origins: {text}")


def _check_policy(config: Config, path: Path) -> None:
    for domain in config.policy.servers:
        if not domain or domain != domain.lower() or any(c in "@/*" or c.isspace() for c in domain):
            raise ConfigError(f"{path}: [policy] servers: {domain!r} is not a domain in lower case (all servers: everyone = true)")
    for address in config.policy.blocked:
        if not address or address != address.lower() or any(c in "/*" or c.isspace() for c in address) or address.count("@") > 1:
            raise ConfigError(f"{path}: [policy] blocked: {address!r} is not a domain or an address like eve@example.org, in lower case")


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
