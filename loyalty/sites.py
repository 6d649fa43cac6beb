"""Sites and their keys: one that stands in the pages, one that the site's server keeps to itself.

The secret key is made of the programme's secret, so that tokens signed with it can be checked
without keeping it; what is kept is its hash.
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from loyalty.clock import Clock
from loyalty.database import query
from loyalty.keys import derive_key
from loyalty.models import Site
from loyalty.refusals import No, Refusal, refuse
from loyalty.rules.texts import is_plain
from loyalty.sql import site_events as sql

PUBLIC, SECRET = "kps_", "kss_"
NAME_MAX = 64
ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class KnownSite:
    """A site by one of its keys. `is_secret`: it was the secret one, so its server speaks."""

    id: int
    name: str
    origins: frozenset[str]
    generation: int
    is_secret: bool


@dataclass(frozen=True, slots=True)
class NewKeys:
    public: str
    secret: str


class Sites:
    def __init__(self, clock: Clock, secret: bytes) -> None:
        self._clock = clock
        self._secret = secret

    def secret_key(self, site_id: int, generation: int) -> str:
        """What the site's server sends, and signs tokens with."""
        return SECRET + derive_key(self._secret, f"site {site_id} {generation}").hex()

    async def add(self, name: str, origins: Sequence[str]) -> NewKeys | Refusal:
        """Refused: invalid_site with the field (also a name that is taken)."""
        if not name or not is_plain(name, NAME_MAX) or await Site.exists(name=name):
            return refuse(No.INVALID_SITE, field="name")
        if not origins or not all(ORIGIN.fullmatch(origin) for origin in origins):
            return refuse(No.INVALID_SITE, field="origins")
        site = Site(
            name=name,
            public_key=PUBLIC + secrets.token_urlsafe(18),
            origins=" ".join(origins),
            created_at=self._clock.now(),
        )
        key = self.secret_key(site.id, 1)
        site.secret_hash = _hash(key)
        await site.save(force_create=True)
        return NewKeys(site.public_key, key)

    async def rotate(self, name: str) -> str | Refusal:
        """A new secret key; the old one and its tokens are good no more. Refused: site_unknown."""
        site = await Site.get_or_none(name=name, closed_at=None)
        if site is None:
            return refuse(No.SITE_UNKNOWN)
        site.generation += 1
        key = self.secret_key(site.id, site.generation)
        site.secret_hash = _hash(key)
        await site.save(update_fields=["generation", "secret_hash"])
        return key

    async def close(self, name: str) -> Refusal | None:
        """Its keys stop working. Refused: site_unknown."""
        now = self._clock.now()
        closed = await Site.filter(name=name, closed_at=None).update(closed_at=now)
        return None if closed else refuse(No.SITE_UNKNOWN)

    async def by_key(self, key: str) -> KnownSite | Refusal:
        """Refused: api_key_unknown."""
        is_secret = key.startswith(SECRET)
        text, value = (sql.BY_SECRET, _hash(key)) if is_secret else (sql.BY_PUBLIC_KEY, key)
        rows = await query(text, None, value)
        if not rows:
            return refuse(No.API_KEY_UNKNOWN)
        [row] = rows
        origins = frozenset(row["origins"].split())
        return KnownSite(row["id"], row["name"], origins, row["generation"], is_secret)

    async def origins(self) -> frozenset[str]:
        """Of all open sites: browsers ask before they say for which one."""
        rows = await query(sql.ORIGINS)
        return frozenset(origin for row in rows for origin in row["origins"].split())


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
