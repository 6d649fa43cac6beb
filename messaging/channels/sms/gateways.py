"""SMS providers with an HTTP interface, described as data.

A gateway says where to post, under which names, what an answer means, and how its word about a
message's fate is written and signed. `http_gateway` sends by it, `messaging.sms_webhooks` listens.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit, urlunsplit

from messaging.channels.base import Failed, Status

Form = Sequence[tuple[str, str]]
"""Fields of a form in the order in which they came; a name may come twice."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A webhook's request: the URL as the provider called it, its headers, its form."""

    url: str
    headers: Mapping[str, str]
    form: Form

    def first(self, name: str) -> str:
        return next((value for key, value in self.form if key == name), "")


class Signature(Protocol):
    """How a provider proves that a request is its own."""

    def holds(self, posted: Posted, secret: str) -> bool:
        """Whether the proof is there and right. Takes as long for wrong ones as for right ones."""


@dataclass(frozen=True, slots=True)
class UrlAndForm:
    """Base64 of the HMAC-SHA1 over the URL and the form's names and values in order (Twilio)."""

    header: str

    def holds(self, posted: Posted, secret: str) -> bool:
        fields = "".join(name + value for name, value in sorted(set(posted.form)))
        given = posted.headers.get(self.header, "")
        # It signs a URL of a standard port sometimes with the port and sometimes without.
        results = [same(given, _hmac_sha1(secret, url + fields)) for url in _spellings(posted.url)]
        return any(results)


@dataclass(frozen=True, slots=True)
class JoinedFields:
    """A digest of some fields and the secret, joined (SMSC.ru). Fields left out are not proven."""

    fields: Sequence[str]
    separator: str
    digests: Mapping[str, Literal["sha1", "md5"]]
    """By the name of the field that holds the digest; each one given must be right."""

    def holds(self, posted: Posted, secret: str) -> bool:
        joined = self.separator.join([*(posted.first(name) for name in self.fields), secret])
        given = {name: posted.first(name) for name in self.digests}
        results = [
            same(value.lower(), hashlib.new(self.digests[name], joined.encode()).hexdigest())
            for name, value in given.items()
            if value
        ]
        return bool(results) and all(results)


_OWN = "k"
"""Begins an id of ours, so that it is nobody else's number."""


def same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode())


def _hmac_sha1(secret: str, text: str) -> str:
    digest = hmac.new(secret.encode(), text.encode("utf-8", "surrogateescape"), hashlib.sha1)
    return base64.b64encode(digest.digest()).decode()


def _spellings(url: str) -> list[str]:
    parts = urlsplit(url)
    standard = {"https": 443, "http": 80}.get(parts.scheme)
    if parts.port is None:
        return [url, urlunsplit(parts._replace(netloc=f"{parts.netloc}:{standard}"))]
    if parts.port == standard:
        return [url, urlunsplit(parts._replace(netloc=parts.netloc.rpartition(":")[0]))]
    return [url]


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """What a provider posts when it knows more of a message.

    `dead` are errors of numbers that will never take anything; only a signature that covers the
    error may let them count (`error_is_signed`).
    """

    signature: Signature
    id_field: str
    status_field: str
    error_field: str
    statuses: Mapping[str, Status | None]
    """What is not final is None; what is not here is not understood, which is no error."""
    dead: frozenset[str] = frozenset()
    error_is_signed: bool = False
    attempt_parameter: str = ""
    """Of the URL's query, if the provider lets each message have a URL of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusQuery:
    """How a provider is asked about one message, by our own id of it. Its answer has the statuses
    of its webhook; `absent` are those that say that it has no such message."""

    path: str
    id_field: str
    to_field: str
    status_at: str
    absent: frozenset[str]
    fixed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """How long a provider may try, written as it wants it."""

    field: str
    seconds_min: int
    seconds_max: int
    write: Callable[[int], str] = str

    def value(self, ttl_s: int) -> str:
        return self.write(min(max(ttl_s, self.seconds_min), self.seconds_max))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A provider. `auth` basic: login and password in a header; form: as two fields."""

    name: str
    api_url: str
    path: str
    """After the URL; `{login}` stands for the login."""
    auth: Literal["basic", "form"]
    auth_fields: tuple[str, str] = ("", "")
    to_field: str
    to_with_plus: bool
    text_field: str
    sender_field: str
    sender_needed: bool
    validity: Validity
    fixed: Mapping[str, str] = field(default_factory=dict)
    callback_field: str = ""
    """Takes the URL for this message's reports; without one that URL is set at the provider's."""
    own_id_field: str = ""
    """Takes an id of ours, by which the provider then speaks of the message."""
    query: StatusQuery | None = None
    id_at: str
    error_at: str
    error_text_at: str
    errors: Mapping[str, Failed] = field(default_factory=dict)
    webhook: Webhook
    signed_with: Literal["password", "secret"]
    """Its requests are: with the account's password, or with a secret of their own."""

    def own_id(self, attempt_id: int) -> str:
        """What we call a try; "" where the provider takes no ids of ours."""
        return f"{_OWN}{attempt_id}" if self.own_id_field else ""

    def attempt_of(self, id_: str) -> int | None:
        """The try that an id of ours is of."""
        digits = id_.removeprefix(_OWN)
        if not self.own_id_field or digits == id_ or not digits.isascii() or not digits.isdigit():
            return None
        return number if len(digits) < 20 and (number := int(digits)) < 1 << 63 else None

    def error_of(self, answer: Mapping[str, Any]) -> str:
        """The code of an error that the answer tells, or ""."""
        code = answer.get(self.error_at)
        return "" if code in (None, "", 0) else str(code)


def _hours_and_minutes(seconds: int) -> str:
    minutes = -(-seconds // 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _address_unknown() -> Failed:
    return Failed("address_unknown", True)


def _our_account(reason: str) -> Failed:
    """Nothing goes out until somebody has seen to it, whoever it is to."""
    return Failed(reason, False, provider_down=True)


TWILIO = Gateway(
    name="twilio",
    api_url="https://api.twilio.com",
    path="/2010-04-01/Accounts/{login}/Messages.json",
    auth="basic",
    to_field="To",
    to_with_plus=True,
    text_field="Body",
    sender_field="From",
    sender_needed=True,
    validity=Validity(field="ValidityPeriod", seconds_min=1, seconds_max=36_000),
    callback_field="StatusCallback",
    id_at="sid",
    error_at="code",
    error_text_at="message",
    errors=MappingProxyType(
        {
            "20003": _our_account("login_refused"),
            "20429": Failed("rate_limited", False, retry_after_s=5.0),
            "21211": _address_unknown(),  # not a valid number
            "21212": _our_account("sender_refused"),
            "21265": _address_unknown(),  # a short code
            "21408": Failed("refused_by_provider", True),  # a country that is switched off
            "21603": _our_account("sender_refused"),
            "21606": _our_account("sender_refused"),
            "21610": Failed("blocked", True),  # she has answered STOP
            "21611": Failed("queue_full", False, retry_after_s=30.0),
            "21612": Failed("refused_by_provider", True),  # this sender cannot reach her
            "21614": _address_unknown(),  # not a mobile number
            "21617": Failed("too_long", True),
            "21659": _our_account("sender_refused"),
            "30001": Failed("queue_full", False, retry_after_s=30.0),
            "30002": _our_account("login_refused"),  # the account is suspended
        }
    ),
    webhook=Webhook(
        signature=UrlAndForm("X-Twilio-Signature"),
        id_field="MessageSid",
        status_field="MessageStatus",
        error_field="ErrorCode",
        statuses=MappingProxyType(
            {
                "accepted": None,
                "scheduled": None,
                "queued": None,
                "sending": None,
                "sent": None,
                "delivered": Status.DELIVERED,
                "read": Status.READ,
                "undelivered": Status.UNDELIVERED,
                "failed": Status.UNDELIVERED,
                "canceled": Status.UNDELIVERED,
            }
        ),
        dead=frozenset({"21211", "21610", "21614", "30005", "30006"}),
        error_is_signed=True,
        attempt_parameter="attempt",
    ),
    signed_with="password",
)

SMSC = Gateway(
    name="smsc",
    api_url="https://smsc.ru",
    path="/sys/send.php",
    auth="form",
    auth_fields=("login", "psw"),
    to_field="phones",
    to_with_plus=False,
    text_field="mes",
    sender_field="sender",
    sender_needed=False,
    validity=Validity(
        field="valid", seconds_min=60, seconds_max=24 * 3600, write=_hours_and_minutes
    ),
    fixed=MappingProxyType({"charset": "utf-8", "fmt": "3"}),
    own_id_field="id",
    query=StatusQuery(
        path="/sys/status.php",
        id_field="id",
        to_field="phone",
        status_at="status",
        absent=frozenset({"-3"}),
        fixed=MappingProxyType({"charset": "utf-8", "fmt": "3"}),
    ),
    id_at="id",
    error_at="error_code",
    error_text_at="error",
    errors=MappingProxyType(
        {
            "1": Failed("refused_by_provider", True),  # wrong parameters
            "2": _our_account("login_refused"),
            "3": _our_account("no_money"),
            "4": Failed("blocked_for_errors", False, retry_after_s=300.0, provider_down=True),
            "5": Failed("refused_by_provider", True),  # a wrong date
            "6": Failed("refused_by_provider", True),  # the text or the sender is forbidden
            "7": _address_unknown(),  # not the form of a number
            "8": Failed("refused_by_provider", True),  # this cannot be delivered there
            "9": Failed("rate_limited", False, retry_after_s=60.0),  # too many requests
        }
    ),
    webhook=Webhook(
        signature=JoinedFields(
            ("id", "phone", "status"), ":", MappingProxyType({"sha1": "sha1", "md5": "md5"})
        ),
        id_field="id",
        status_field="status",
        error_field="err",
        statuses=MappingProxyType(
            {
                "-3": None,  # not found
                "-2": Status.UNDELIVERED,  # stopped
                "-1": None,  # waits
                "0": None,  # given to the operator
                "1": Status.DELIVERED,
                "2": Status.READ,
                "3": Status.UNDELIVERED,  # expired
                "4": Status.READ,  # the link has been opened
                "20": Status.UNDELIVERED,
                "22": Status.BOUNCED,  # a wrong number
                "23": Status.UNDELIVERED,  # forbidden
                "24": Status.UNDELIVERED,  # no money
                "25": Status.UNDELIVERED,  # no such route just now
            }
        ),
    ),
    signed_with="secret",
)

GATEWAYS: Mapping[str, Gateway] = MappingProxyType({g.name: g for g in (TWILIO, SMSC)})
