"""Public keys of a site, as a JSON Web Key Set at a URL or in a file, which change while the bridge runs.

A set is read again when it is old, and when a token names a key that is not in it; the latter at most every `REFETCH_EVERY` seconds, or
anybody could make the bridge fetch. What is not in the set any more is no key any more. A set that cannot be read leaves the last good
one in force for `MAX_STALE` seconds. A file is read when it has changed.

Spec: RFC 7517; RFC 8037 (Ed25519); DESIGN §2 (a).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import structlog
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from jinglebridge.web.keys import MIN_RSA_BITS, Key

log = structlog.get_logger()

FETCH_TIMEOUT = 5.0  # seconds for the whole answer
MAX_SIZE = 64 * 1024  # bytes of a set
MAX_KEYS = 32
REFETCH_EVERY = 30.0  # seconds between two tries, whoever asks
MAX_AGE = 300.0  # seconds: a key that was taken out is no key after this, at latest
MAX_STALE = 3600.0  # seconds that a set stays in force when it cannot be read again
PUBLIC = frozenset({"RS256", "ES256", "EdDSA"})


class Unusable(Exception):
    """A set that cannot be had; the text says why."""


class KeySet:
    """`place`: a URL or the path of a file."""

    def __init__(self, place: str, prefix: str = "") -> None:
        self.prefix = prefix
        self._place = place
        self._remote = "://" in place
        self._found: list[Key] = []
        self._read_at: float | None = None  # when what is in force was read
        self._tried_at: float | None = None
        self._good = False  # was the last try one?
        self._stamp: tuple[int, ...] = ()  # of the file when it was last tried
        self._reading = asyncio.Lock()

    def knows(self, id: str) -> bool:
        return bool(id) and any(id == key.id for key in self._found)

    async def keys(self, algorithm: str, id: str) -> Sequence[Key]:
        if algorithm not in PUBLIC:
            return ()
        await self._refresh(wanted=id)
        return [key for key in self._found if key.algorithm == algorithm and (not id or key.id in ("", id))]

    async def _refresh(self, wanted: str) -> None:
        if not self._due(wanted):
            return
        async with self._reading:  # whoever comes meanwhile waits for the same answer
            if not self._due(wanted):
                return
            now = asyncio.get_running_loop().time()
            self._good = False
            self._stamp = self._stat()
            try:
                self._found = await read(self._place)
                self._read_at, self._good = now, True
                log.info("token-keys-read", place=self._place, keys=len(self._found))
            except Unusable as error:
                log.error("token-keys-not-read", place=self._place, error=str(error), kept=len(self._found))
                if self._read_at is not None and now - self._read_at > MAX_STALE:
                    self._found = []
            self._tried_at = asyncio.get_running_loop().time()

    def _due(self, wanted: str) -> bool:
        if not self._remote and self._stat() != self._stamp:
            return True
        now = asyncio.get_running_loop().time()
        if self._tried_at is not None and now - self._tried_at < REFETCH_EVERY:
            return False
        if not self._remote and self._good:
            return False  # it has not changed
        missing = bool(wanted) and not self.knows(wanted)
        return missing or not self._good or self._read_at is None or now - self._read_at > MAX_AGE

    def _stat(self) -> tuple[int, ...]:
        if self._remote:
            return ()
        try:
            stat = Path(self._place).stat()
        except OSError:
            return ()
        return (stat.st_mtime_ns, stat.st_size, stat.st_ino)


async def read(place: str) -> list[Key]:
    """The keys that a set holds now. Raises Unusable."""
    if "://" in place:
        return parse(await fetch(place))
    try:
        with Path(place).open("rb") as file:  # noqa: ASYNC230  small and on this machine
            return parse(file.read(MAX_SIZE + 1))
    except OSError as error:
        raise Unusable(error.strerror or str(error)) from None


async def fetch(url: str) -> bytes:
    """The bytes behind a URL, at most one more than `MAX_SIZE`. Raises Unusable."""
    data = bytearray()
    try:
        timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT)
        # Unpacked here a small answer could become a huge one.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        async with (
            aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session,
            session.get(url, headers=headers, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                raise Unusable(f"status {answer.status}")
            async for chunk in answer.content.iter_chunked(16 * 1024):
                data += chunk
                if len(data) > MAX_SIZE:
                    break
    except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
        raise Unusable(f"{type(error).__name__} {error}"[:200]) from None
    return bytes(data)


def parse(data: bytes) -> list[Key]:
    """The keys of a set that can be used; others are left out. Raises Unusable."""
    if len(data) > MAX_SIZE:
        raise Unusable(f"more than {MAX_SIZE} bytes")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise Unusable("not JSON") from None
    entries = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise Unusable(f"not a set of at most {MAX_KEYS} keys")
    return [key for entry in entries if isinstance(entry, dict) and (key := _key(entry)) is not None]


def _key(entry: dict[str, Any]) -> Key | None:
    """None for a key that is not for signatures, too weak, or of a kind that is not used here; shared secrets have no place in a set."""
    id = entry.get("kid", "")
    if not isinstance(id, str) or entry.get("use", "sig") != "sig":
        return None
    try:
        match entry.get("kty"), entry.get("crv"):
            case "RSA", _:
                rsa: Any = RSAAlgorithm.from_jwk(entry)
                made = Key(rsa, "RS256", id) if rsa.key_size >= MIN_RSA_BITS else None
            case "EC", "P-256":
                made = Key(ECAlgorithm.from_jwk(entry), "ES256", id)
            case "OKP", "Ed25519":
                made = Key(OKPAlgorithm.from_jwk(entry), "EdDSA", id)
            case _:
                made = None
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        made = None
    if made is None or "d" in entry or entry.get("alg", made.algorithm) != made.algorithm:
        log.warning("token-key-not-used", kid=id[:100], kty=str(entry.get("kty"))[:20])
        return None
    return made
