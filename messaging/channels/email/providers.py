"""What mail providers post about a mail, described as data: where in their JSON is what.

A path is names and numbers with dots between them. The try is found by our signed token, which a
header field carries out (`trace_field`) and the provider quotes back, else by its own id.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from messaging.channels.base import Report, Status
from messaging.channels.email.replies import ENHANCED, GONE, meaning, one_detail
from messaging.channels.email.tokens import Tokens

BY_CODE = "by_code"
"""The event is a refusal, and its SMTP code says whether the address is at fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """HMAC-SHA256 in hexadecimal over the values at `parts`, one after the other."""

    parts: tuple[str, ...]
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailProvider:
    """`kinds`: what the words found at `event` mean, joined by a dot; what is not there is no news.

    `inside`: where the event is, as JSON within a string. `confirm`: where a link is that a person
    has to open once to confirm the subscription.
    """

    trace_field: tuple[str, str]
    event: tuple[str, ...]
    kinds: Mapping[str, Status | str]
    traces: tuple[str, ...]
    provider_id: str
    code: str
    detail: str
    at: tuple[str, ...]
    inside: str = ""
    confirm: str = ""
    signature: Signature | None = None


PROVIDERS: Mapping[str, MailProvider] = {
    "ses": MailProvider(  # Amazon SES, its notifications and events by way of SNS
        trace_field=("X-SES-MESSAGE-TAGS", "attempt={token}"),
        inside="Message",
        confirm="SubscribeURL",
        event=("notificationType|eventType", "bounce.bounceType"),
        kinds={
            "Bounce.Permanent": Status.BOUNCED,
            "Bounce.Transient": Status.UNDELIVERED,
            "Bounce.Undetermined": BY_CODE,
            "Complaint": Status.COMPLAINED,
            "Reject": Status.UNDELIVERED,
        },
        traces=("mail.tags.attempt.0", "mail.commonHeaders.messageId", "mail.source"),
        provider_id="mail.messageId",
        code="bounce.bouncedRecipients.0.status",
        detail="bounce.bouncedRecipients.0.diagnosticCode|complaint.complaintFeedbackType",
        at=("bounce.timestamp|complaint.timestamp",),
    ),
    "postmark": MailProvider(
        trace_field=("X-PM-Metadata-attempt", "{token}"),
        event=("RecordType", "Type"),
        kinds={
            "Bounce.HardBounce": Status.BOUNCED,
            "Bounce.BadEmailAddress": Status.BOUNCED,
            "Bounce.SoftBounce": Status.UNDELIVERED,
            "Bounce.DnsError": Status.UNDELIVERED,
            "Bounce.Blocked": Status.UNDELIVERED,
            "Bounce.SpamNotification": Status.UNDELIVERED,
            "Bounce.Undeliverable": BY_CODE,
            "Bounce.Unknown": BY_CODE,
            "Bounce.SpamComplaint": Status.COMPLAINED,
            "SpamComplaint": Status.COMPLAINED,
            "SpamComplaint.SpamComplaint": Status.COMPLAINED,
        },
        traces=("Metadata.attempt",),
        provider_id="MessageID",
        code="Details",
        detail="Details|Description",
        at=("BouncedAt",),
    ),
    "mailgun": MailProvider(
        trace_field=("X-Mailgun-Variables", '{"attempt": "{token}"}'),
        signature=Signature(
            parts=("signature.timestamp", "signature.token"), value="signature.signature"
        ),
        event=("event-data.event", "event-data.severity"),
        kinds={"failed.permanent": BY_CODE, "complained": Status.COMPLAINED},
        traces=("event-data.user-variables.attempt", "event-data.message.headers.message-id"),
        provider_id="",
        code="event-data.delivery-status.enhanced-code|event-data.delivery-status.code",
        detail="event-data.delivery-status.message|event-data.delivery-status.description",
        at=("event-data.timestamp",),
    ),
}


class UnreadableError(ValueError):
    """It is not what this provider posts."""


class ForgedError(ValueError):
    """The signature is not the provider's."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What one call tells. `confirm` is the link to open, when that is what it is about."""

    reports: list[Report] = field(default_factory=list)
    confirm: str = ""


def read_call(provider: MailProvider, body: bytes, *, key: str, tokens: Tokens, at: int) -> Posted:
    """Raises UnreadableError, ForgedError. `key` is the provider's, for those that sign."""
    data = _parsed(body)
    if provider.signature is not None and not _signed(provider.signature, data, key):
        raise ForgedError
    if provider.confirm and (link := _text(data, provider.confirm)):
        return Posted(confirm=link)
    reports = (_report(provider, event, tokens, at) for event in _events(provider, data))
    return Posted([report for report in reports if report is not None])


def _parsed(text: bytes | str) -> Any:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise UnreadableError("not JSON") from None
    if not isinstance(data, dict | list):
        raise UnreadableError("not an object")
    return data


def _signed(signature: Signature, data: Any, key: str) -> bool:
    said = "".join(_text(data, path) for path in signature.parts)
    right = hmac.new(key.encode(), said.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
    given = _text(data, signature.value).encode("utf-8", "replace")
    return bool(key) and hmac.compare_digest(right.encode(), given)


def _events(provider: MailProvider, data: Any) -> Iterator[Any]:
    for item in data if isinstance(data, list) else [data]:
        if not provider.inside:
            yield item
        elif inside := _text(item, provider.inside):
            yield _parsed(inside)
        else:
            yield item  # SNS with raw delivery leaves its envelope out


def _report(provider: MailProvider, event: Any, tokens: Tokens, at: int) -> Report | None:
    words = [_text(event, path) for path in provider.event]
    if not words[0]:
        raise UnreadableError("no kind of event")
    kind = provider.kinds.get(".".join(filter(None, words)))
    if kind is None:
        return None
    detail, code = _text(event, provider.detail), _text(event, provider.code)
    traced = (tokens.find(_text(event, path)) for path in provider.traces)
    attempt_id = next((found for found in traced if found is not None), None)
    provider_id = one_detail(_text(event, provider.provider_id))[:120]
    if attempt_id is None and not provider_id:
        return None
    return Report(
        channel="email",
        status=_by_code(code, detail)
        if isinstance(kind, str) and kind == BY_CODE
        else Status(kind),
        at=min(at, next(filter(None, (_instant(_at(event, p)) for p in provider.at)), at)),
        provider_id=provider_id,
        attempt_id=attempt_id,
        detail=one_detail(f"{code} {detail}" if code not in detail else detail),
    )


def _by_code(code: str, detail: str) -> Status:
    enhanced = ENHANCED.search(code) or ENHANCED.search(detail)
    reason = meaning(550, f"{enhanced[0] if enhanced else ''} {ENHANCED.sub('', detail)}").reason
    return Status.BOUNCED if reason in GONE else Status.UNDELIVERED


def _at(data: Any, path: str) -> Any:
    """What is there, by the first of the alternatives (`a.b|c`) that has something."""
    for way in path.split("|") if path else ():
        found = data
        for name in way.split("."):
            if isinstance(found, list) and name.isdigit():
                found = found[int(name)] if int(name) < len(found) else None
            else:
                found = found.get(name) if isinstance(found, dict) else None
        if found not in (None, "", [], {}):
            return found
    return None


def _text(data: Any, path: str) -> str:
    found = _at(data, path)
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return ""
    return str(found)


def _instant(value: Any) -> int | None:
    """Microseconds of an ISO instant or of seconds since 1970."""
    try:
        if isinstance(value, str):
            parsed = datetime.fromisoformat(value)
            seconds = (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
        else:
            seconds = float(value)
        return int(seconds * 1_000_000) if seconds > 0 else None
    except (ValueError, TypeError, OverflowError):
        return None
