"""What was said in the web chat, as rows: threads, messages, pictures.

A thread is one visitor's conversation, whichever of her tabs it is open in. Its number is the
chat id of the Bot API; the visitor holds a secret of which only the hash is kept here. Numbers of
threads come from `loyalty.ids` and lie above every id that Telegram gives out (52 bits).
"""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from sqlite3 import IntegrityError
from typing import Any

from asyncpg import UniqueViolationError
from pydantic_core import to_json

from loyalty.clock import Clock
from loyalty.database import dialect, query, transaction
from loyalty.ids import next_id
from loyalty.instants import from_micros, to_micros
from messaging.models import ChatThread, UploadedFile

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Thread:
    id: int
    language: str
    keyboard: str  # JSON of the reply keyboard that stands now, or ""


@dataclass(frozen=True, slots=True)
class Row:
    """One message as it stands. `version` grows with every edit (microseconds of the last one)."""

    message_id: int
    outgoing: bool
    body: Body
    at: datetime
    version: int
    client_id: str | None = None


@dataclass(frozen=True, slots=True)
class StoredFile:
    media_type: str
    content: bytes


def secret_hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


class Transcript:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    # threads

    async def open_thread(self, language: str) -> tuple[Thread, str]:
        """Make a thread; returns it with the visitor's secret, which is shown this once."""
        secret, now = secrets.token_urlsafe(32), self._clock.now()
        row = await ChatThread.create(
            id=next_id(),
            secret_hash=secret_hash(secret),
            language=language,
            created_at=now,
            seen_at=now,
        )
        return Thread(row.id, language, ""), secret

    async def thread_by_secret(self, secret: str) -> Thread | None:
        """The visitor's thread, marked as seen now."""
        rows = await query(
            "UPDATE chat_thread SET seen_at = $1 WHERE secret_hash = $2 "
            "RETURNING id, language, keyboard",
            None,
            to_micros(self._clock.now()),
            secret_hash(secret),
        )
        return Thread(rows[0]["id"], rows[0]["language"], rows[0]["keyboard"]) if rows else None

    async def thread(self, thread_id: int) -> Thread | None:
        rows = await query(
            "SELECT id, language, keyboard FROM chat_thread WHERE id = $1", None, thread_id
        )
        return Thread(rows[0]["id"], rows[0]["language"], rows[0]["keyboard"]) if rows else None

    async def seen(self, thread_id: int) -> None:
        """The visitor still has the chat open."""
        now = to_micros(self._clock.now())
        await query("UPDATE chat_thread SET seen_at = $2 WHERE id = $1", None, thread_id, now)

    async def set_language(self, thread_id: int, language: str) -> None:
        await query(
            "UPDATE chat_thread SET language = $2 WHERE id = $1 RETURNING 1",
            None,
            thread_id,
            language,
        )

    # messages

    async def add(
        self,
        thread_id: int,
        body: Body,
        *,
        outgoing: bool,
        client_id: str | None = None,
        keyboard: str | None = None,
    ) -> Row | None:
        """Append a message; `keyboard` (JSON or "") replaces the reply keyboard, None leaves it.

        None when there is no such thread, or it already has a message with this `client_id`.
        """
        now = self._clock.now()
        values = (
            thread_id,
            next_id(),
            client_id,
            outgoing,
            to_json(body).decode(),
            to_micros(now),
            keyboard,
        )
        try:
            message_id = await (_add_postgres if dialect() == "postgres" else _add_sqlite)(values)
        except _TAKEN:
            return None  # another tab was first with the same client_id
        if message_id is None:
            return None
        return Row(message_id, outgoing, body, now, 0, client_id)

    async def edit(self, thread_id: int, message_id: int, body: Body) -> int | None:
        """Replace a message's body; returns its new version, None when it is not there."""
        rows = await query(
            "UPDATE chat_message SET body = $3, edited_at = "
            "CASE WHEN coalesce(edited_at, 0) >= $4 THEN edited_at + 1 ELSE $4 END "
            "WHERE thread_id = $1 AND message_id = $2 AND deleted_at IS NULL RETURNING edited_at",
            None,
            thread_id,
            message_id,
            to_json(body).decode(),
            to_micros(self._clock.now()),
        )
        return int(rows[0]["edited_at"]) if rows else None

    async def delete(self, thread_id: int, message_id: int) -> bool:
        rows = await query(
            "UPDATE chat_message SET deleted_at = $3 "
            "WHERE thread_id = $1 AND message_id = $2 AND deleted_at IS NULL RETURNING 1",
            None,
            thread_id,
            message_id,
            to_micros(self._clock.now()),
        )
        return bool(rows)

    async def get(self, thread_id: int, message_id: int) -> Row | None:
        rows = await query(
            f"{_SELECT} WHERE thread_id = $1 AND message_id = $2 AND deleted_at IS NULL",
            None,
            thread_id,
            message_id,
        )
        return _row(rows[0]) if rows else None

    async def by_client_id(self, thread_id: int, client_id: str) -> Row | None:
        rows = await query(
            f"{_SELECT} WHERE thread_id = $1 AND client_id = $2", None, thread_id, client_id
        )
        return _row(rows[0]) if rows else None

    async def latest(
        self, thread_id: int, *, limit: int, before: int | None = None
    ) -> tuple[list[Row], bool]:
        """The newest messages (before message `before`), oldest first; whether more exist."""
        rows = await query(
            f"{_SELECT} WHERE thread_id = $1 AND message_id < $2 AND deleted_at IS NULL "
            "ORDER BY message_id DESC LIMIT $3",
            None,
            thread_id,
            (1 << 62) if before is None else before,
            limit + 1,
        )
        return [_row(row) for row in reversed(rows[:limit])], len(rows) > limit

    # pictures

    async def save_file(self, content: bytes, media_type: str) -> str:
        """Keep a picture; returns its id, which nobody can guess."""
        file_id = secrets.token_urlsafe(24)
        await UploadedFile.create(
            id=file_id, media_type=media_type, content=content, created_at=self._clock.now()
        )
        return file_id

    async def file(self, file_id: str) -> StoredFile | None:
        row = await UploadedFile.get_or_none(id=file_id)
        return StoredFile(row.media_type, bytes(row.content)) if row else None

    async def forget_files(self, before: datetime) -> int:
        """Delete pictures older than `before`: a card's picture is of use for minutes only."""
        rows = await query(
            "DELETE FROM uploaded_file WHERE created_at < $1 RETURNING 1", None, to_micros(before)
        )
        return len(rows)


_TAKEN = (UniqueViolationError, IntegrityError)
_SELECT = (
    "SELECT message_id, outgoing, body, at, coalesce(edited_at, 0) AS version, client_id "
    "FROM chat_message"
)

_ADD_POSTGRES = """
WITH thread AS (
    UPDATE chat_thread
    SET last_message_id = last_message_id + 1, keyboard = coalesce($7, keyboard),
        seen_at = CASE WHEN $4 THEN seen_at ELSE $6 END
    WHERE id = $1 AND ($3::text IS NULL OR NOT EXISTS (
        SELECT 1 FROM chat_message WHERE thread_id = $1 AND client_id = $3::text))
    RETURNING last_message_id
)
INSERT INTO chat_message (id, thread_id, message_id, client_id, outgoing, body, at)
SELECT $2, $1, last_message_id, $3::text, $4, $5, $6 FROM thread
RETURNING message_id
"""


async def _add_postgres(values: tuple[Any, ...]) -> int | None:
    rows = await query(_ADD_POSTGRES, None, *values)
    return int(rows[0]["message_id"]) if rows else None


async def _add_sqlite(values: tuple[Any, ...]) -> int | None:
    """SQLite has no UPDATE within a WITH: the same in two statements and one transaction."""
    thread_id, row_id, client_id, outgoing, body, at, keyboard = values
    async with transaction():
        known = await query(
            "",
            "UPDATE chat_thread SET last_message_id = last_message_id + 1, "
            "keyboard = coalesce($3, keyboard), seen_at = coalesce($4, seen_at) "
            "WHERE id = $1 AND ($2 IS NULL OR NOT EXISTS ("
            "SELECT 1 FROM chat_message WHERE thread_id = $1 AND client_id = $2)) "
            "RETURNING last_message_id",
            thread_id,
            client_id,
            keyboard,
            None if outgoing else at,
        )
        if not known:
            return None
        message_id = int(known[0]["last_message_id"])
        await query(
            "",
            "INSERT INTO chat_message (id, thread_id, message_id, client_id, outgoing, body, at) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING 1",
            row_id,
            thread_id,
            message_id,
            client_id,
            outgoing,
            body,
            at,
        )
    return message_id


def _row(row: Mapping[str, Any]) -> Row:
    return Row(
        message_id=row["message_id"],
        outgoing=bool(row["outgoing"]),
        body=json.loads(row["body"]),
        at=from_micros(row["at"]),
        version=row["version"],
        client_id=row["client_id"],
    )
