"""Keys of till programs: made once, shown once, kept as a hash, each acting for one till."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from admin.auth import token_hash
from loyalty.clock import Clock
from loyalty.database import query
from loyalty.models import ApiKey, Till
from loyalty.refusals import No, Refusal, refuse

PREFIX = "kap_"
_HINT_LENGTH = 12
_KEY_LENGTH = len(PREFIX) + 43
CACHE_LIFE = timedelta(seconds=5)
"""How long a revoked key may still be let in by a process that has just seen it."""
CACHE_MAX = 4096


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """`key` is the secret itself: show it now, it cannot be shown again."""

    id: int
    key: str
    hint: str


@dataclass(frozen=True, slots=True)
class TillKey:
    """A key that was recognised, and the till it acts for."""

    key_id: int
    till_id: int


async def create_api_key(*, clock: Clock, till_id: int) -> NewApiKey | Refusal:
    """Make a key for a till. Refused: till_not_found (a closed one too)."""
    if not await Till.exists(id=till_id, closed_at=None):
        return refuse(No.TILL_NOT_FOUND)
    key = PREFIX + secrets.token_urlsafe(32)
    row = await ApiKey.create(
        key_hash=token_hash(key), hint=key[:_HINT_LENGTH], till_id=till_id, created_at=clock.now()
    )
    return NewApiKey(row.id, key, row.hint)


async def revoke_api_key(*, clock: Clock, key_id: int) -> Refusal | None:
    """End a key for ever; it stops working within CACHE_LIFE. Refused: api_key_unknown."""
    ended = await ApiKey.filter(id=key_id, revoked_at=None).update(revoked_at=clock.now())
    return None if ended else refuse(No.API_KEY_UNKNOWN)


class ApiKeyDoor:
    """Recognises keys, remembering for seconds what the database said: yes and no alike."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: OrderedDict[str, tuple[datetime, TillKey | Refusal]] = OrderedDict()

    async def recognise(self, key: str) -> TillKey | Refusal:
        """Refused: api_key_unknown (never made, revoked, or its till is closed)."""
        if len(key) != _KEY_LENGTH or not key.startswith(PREFIX) or not key.isascii():
            return refuse(No.API_KEY_UNKNOWN)
        hashed, now = token_hash(key), self._clock.now()
        found = self._known.get(hashed)
        if found is not None and now - CACHE_LIFE < found[0] <= now:
            return found[1]
        answer = await self._read(hashed)
        self._known[hashed] = (now, answer)
        self._known.move_to_end(hashed)
        if len(self._known) > CACHE_MAX:
            self._known.popitem(last=False)
        return answer

    async def _read(self, hashed: str) -> TillKey | Refusal:
        rows = await query(_RECOGNISE, None, hashed)
        return TillKey(rows[0]["id"], rows[0]["till_id"]) if rows else refuse(No.API_KEY_UNKNOWN)


_RECOGNISE = """
SELECT api_key.id, api_key.till_id
FROM api_key JOIN till ON till.id = api_key.till_id AND till.closed_at IS NULL
WHERE api_key.key_hash = $1 AND api_key.revoked_at IS NULL
"""
