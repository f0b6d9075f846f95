"""The certificate that browsers are shown. Handshakes happen in memory."""

from __future__ import annotations

import asyncio
import datetime
import os
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from jinglebridge.config import Web, Xmpp
from jinglebridge.errors import OperatorError
from jinglebridge.service import certificates


def issue(folder: Path, serial: int) -> Web:
    """A key and a certificate of that serial number, where the last one was."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "call.example.org")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), serial, now, now + datetime.timedelta(days=1))
    shown = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    hidden = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    web = Web(tls_cert=str(folder / "cert.pem"), tls_key=str(folder / "key.pem"))
    for file, data in ((web.tls_cert, shown), (web.tls_key, hidden)):
        Path(file).write_bytes(data)
        os.utime(file, (serial, serial))  # two in one tick of the clock are still two
    return web


def serial_shown(context: ssl.SSLContext) -> int:
    """The serial number that a new connection sees."""
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    asking.check_hostname, asking.verify_mode = False, ssl.CERT_NONE
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client, server = asking.wrap_bio(down, up), context.wrap_bio(up, down, server_side=True)
    for side in (client, server) * 3:
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    found = client.getpeercert(binary_form=True)
    assert found is not None
    return x509.load_der_x509_certificate(found).serial_number


async def shown(context: ssl.SSLContext, serial: int) -> None:
    async with asyncio.timeout(10):
        while serial_shown(context) != serial:  # noqa: ASYNC110  a file, no event
            await asyncio.sleep(0.01)


def broken(web: Web) -> None:
    Path(web.tls_cert).write_text("half of a file")


async def test_a_renewed_certificate_is_shown_without_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(certificates, "CHECK_EVERY", 0.01)
    web = issue(tmp_path, 1)
    context = certificates.of_web(web)
    assert context is not None and serial_shown(context) == 1
    watching = asyncio.create_task(certificates.renewed(web, context))
    await asyncio.sleep(0.05)
    issue(tmp_path, 2)
    await shown(context, 2)
    broken(web)
    await asyncio.sleep(0.1)
    assert serial_shown(context) == 2, "a broken file changes nothing"
    os.remove(web.tls_key)
    await asyncio.sleep(0.1)
    assert serial_shown(context) == 2
    issue(tmp_path, 3)
    await shown(context, 3)
    watching.cancel()


def test_what_cannot_be_read_names_its_key(tmp_path: Path):
    with pytest.raises(OperatorError, match=r"\[web\] tls_cert .*cert\.pem"):
        certificates.of_web(Web(tls_cert=str(tmp_path / "cert.pem"), tls_key=str(tmp_path / "key.pem")))
    xmpp = Xmpp(domain="call.example.org", tls=True, tls_ca=str(tmp_path / "ca.pem"))
    with pytest.raises(OperatorError, match=r"\[xmpp\] tls_ca .*ca\.pem"):
        certificates.to_component(xmpp)


def test_plain_is_plain():
    assert certificates.of_web(Web()) is None
    assert certificates.to_component(Xmpp(domain="call.example.org")) is None
    assert certificates.to_component(Xmpp(domain="call.example.org", tls=True)) is not None
