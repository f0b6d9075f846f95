"""TLS: what the web listener shows, also after it was renewed, and what is asked of the XMPP server."""

from __future__ import annotations

import asyncio
import os
import ssl

import structlog

from jinglebridge.config import Web, Xmpp
from jinglebridge.errors import OperatorError

log = structlog.get_logger()

CHECK_EVERY = 10.0


def to_component(xmpp: Xmpp) -> ssl.SSLContext | None:
    """How the component port is spoken to; None: plain. Raises OperatorError."""
    if not xmpp.tls:
        return None
    try:
        return ssl.create_default_context(cafile=xmpp.tls_ca or None)
    except OSError as error:
        raise OperatorError(f"[xmpp] tls_ca {xmpp.tls_ca}: {error.strerror}") from None


def of_web(web: Web) -> ssl.SSLContext | None:
    """What browsers are shown; None: plain http, as behind a proxy. Raises OperatorError."""
    if not web.tls_cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(web.tls_cert, web.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise OperatorError(f"[web] tls_cert {web.tls_cert}, tls_key {web.tls_key}: {error.strerror or error}") from None
    return context


async def renewed(web: Web, context: ssl.SSLContext) -> None:
    """Runs for ever: new connections get a renewed certificate without a restart."""

    def stamp() -> tuple[float, ...]:
        return tuple(os.stat(name).st_mtime for name in (web.tls_cert, web.tls_key))

    last = stamp()
    while True:
        await asyncio.sleep(CHECK_EVERY)
        try:
            if stamp() != last:
                context.load_cert_chain(web.tls_cert, web.tls_key)
                last = stamp()
                log.info("certificate-reloaded", file=web.tls_cert)
        except (OSError, ssl.SSLError) as error:
            log.error("certificate-not-reloaded", file=web.tls_cert, error=str(error))
