"""Who asks for a link or a picture of a message: a person, or a machine that reads ahead. Pure.

Each sign is a named reason. Where nothing speaks of a machine it is taken for a person: the signs
are those that machines show by themselves, and a machine that shows none cannot be told.
Instants in microseconds.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct, field


class Kind(StrEnum):
    """What was asked for."""

    CLICK = "click"
    OPEN = "open"
    """The picture of one point that an e-mail ends with."""
    TRAP = "trap"
    """A link that no eye can see."""


class Who(StrEnum):
    PERSON = "person"
    MACHINE = "machine"


class Sign(StrEnum):
    """What a verdict stands on."""

    NONE = ""
    IMAGE_PROXY = "image_proxy"
    """A mail service fetches the picture for her when she opens the mail: hers."""
    HEAD = "head"
    """It wants to know of the page without seeing it."""
    PREFETCH = "prefetch"
    """A browser loads it in case she goes there, and says so."""
    NO_USER_AGENT = "no_user_agent"
    PREVIEW = "preview"
    """A messenger or a network draws a preview of the link, a search engine looks around."""
    SCANNER = "scanner"
    """A guard of the mailbox looks for malice."""
    SCRIPT = "script"
    """A program that is no browser."""
    MAIL_PRIVACY = "mail_privacy"
    """Apple Mail loads all pictures of all mails, read or not."""
    TRAPPED = "trapped"
    """It has followed the link that no eye can see."""
    TOO_SOON = "too_soon"
    """Sooner after the message was accepted than anybody reads."""
    BURST = "burst"
    """Several links of one message within a second."""


class Request(Struct, frozen=True, kw_only=True):
    """`headers` have lower-case names; only those that tell something matter."""

    kind: Kind
    at: int
    method: str = "GET"
    user_agent: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    nth: int = 0


class Earlier(Struct, frozen=True):
    """A hit that is known already."""

    kind: Kind
    nth: int
    at: int
    who: Who
    sign: Sign


class Judged(Struct, frozen=True):
    who: Who
    sign: Sign = Sign.NONE


TOO_SOON_US: Mapping[str, int] = {
    "email": 5_000_000,
    "sms": 3_000_000,
    "messenger": 1_000_000,
    "webpush": 1_000_000,
}
"""From acceptance by the provider: the message has to arrive, be seen and be understood."""
BURST_US = 1_000_000
TRAPPED_US = 60_000_000
"""How far from the trap, before and after, the other hits of the message are the machine's too."""

_PREFETCH = ("sec-purpose", "purpose", "x-purpose", "x-moz")
_READS_AHEAD = ("prefetch", "preview", "prerender")

# Names that programs give themselves. A telephone is called CUBOT, which is no bot.
_PREVIEW = re.compile(
    r"(?<!cu)bot(?=[/;:),\s-]|$)|crawler|spider|slurp|facebookexternalhit|facebookcatalog|"
    r"^whatsapp/|^viber/|vkshare|skypeuripreview|microsoftpreview|snap url preview|"
    r"google-pagerenderer|embedly|iframely|mail\.ru_bot|yandex(?:bot|images|metrika)|bitlybot",
    re.IGNORECASE,
)
_SCANNER = re.compile(
    r"barracuda|proofpoint|urldefense|mimecast|safelinks|forcepoint|websense|messagelabs|symantec|"
    r"trend ?micro|ironport|sophos|zscaler|fortiguard|check ?point|kaspersky|drweb|virustotal|"
    r"urlscan|cloudmark|google-safety|paloalto",
    re.IGNORECASE,
)
_SCRIPT = re.compile(
    r"^(?:curl|wget|python|aiohttp|go-http-client|java|okhttp|apache-httpclient|libwww-perl|lwp|"
    r"ruby|php|node|undici|axios|postmanruntime|dart|scrapy|httpie|powershell|winhttp)\b|"
    r"headlesschrome|phantomjs|puppeteer|playwright|python-requests|python-urllib|node-fetch",
    re.IGNORECASE,
)
_IMAGE_PROXY = re.compile(
    r"googleimageproxy|ggpht\.com|yahoomailproxy|Edge/12\.246 Mozilla/5\.0$",
    re.IGNORECASE,
)
_APPLE_MAIL = "Mozilla/5.0"
"""All that Apple's Mail Privacy Protection tells of itself."""


def judge(
    request: Request, *, channel: str, accepted_at: int | None, before: Sequence[Earlier] = ()
) -> Judged:
    """The first sign of a machine, by the request itself, then by the moment, then by the company.

    `accepted_at` None: the provider has not even answered. `before` are the hits of that message.
    """
    by_itself = _looks(request)
    if by_itself.who is Who.MACHINE:
        return by_itself
    soonest = TOO_SOON_US.get(channel, BURST_US)
    if accepted_at is None or request.at < accepted_at + soonest:
        return Judged(Who.MACHINE, Sign.TOO_SOON)
    company = _company(request.kind, request.nth, request.at, before)
    return by_itself if company is Sign.NONE else Judged(Who.MACHINE, company)


def _looks(request: Request) -> Judged:
    agent = request.user_agent.strip()
    if request.kind is Kind.TRAP:
        return Judged(Who.MACHINE, Sign.TRAPPED)
    if request.method != "GET":
        return Judged(Who.MACHINE, Sign.HEAD)
    if any(word in request.headers.get(name, "").lower() for name in _PREFETCH
           for word in _READS_AHEAD):  # fmt: skip
        return Judged(Who.MACHINE, Sign.PREFETCH)
    if not agent:
        return Judged(Who.MACHINE, Sign.NO_USER_AGENT)
    if _IMAGE_PROXY.search(agent):
        if request.kind is Kind.OPEN:
            return Judged(Who.PERSON, Sign.IMAGE_PROXY)
        return Judged(Who.MACHINE, Sign.SCANNER)
    for pattern, sign in ((_SCANNER, Sign.SCANNER), (_PREVIEW, Sign.PREVIEW)):
        if pattern.search(agent):
            return Judged(Who.MACHINE, sign)
    if agent == _APPLE_MAIL:
        is_open = request.kind is Kind.OPEN
        return Judged(Who.MACHINE, Sign.MAIL_PRIVACY if is_open else Sign.SCRIPT)
    if _SCRIPT.search(agent):
        return Judged(Who.MACHINE, Sign.SCRIPT)
    return Judged(Who.PERSON)


def _company(kind: Kind, nth: int, at: int, others: Iterable[Earlier]) -> Sign:
    """What the other hits of the message say of this one."""
    for other in others:
        distance = abs(other.at - at)
        if other.kind is Kind.TRAP and distance <= TRAPPED_US:
            return Sign.TRAPPED
        like_people = other.who is Who.PERSON or other.sign is Sign.BURST
        if (
            kind is Kind.CLICK and other.kind is Kind.CLICK and other.nth != nth
            and distance < BURST_US and like_people
        ):  # fmt: skip
            return Sign.BURST
    return Sign.NONE


class Standing(Struct, frozen=True):
    """When a person first clicked and first opened, as far as that can be said by now."""

    clicked_at: int | None = None
    opened_at: int | None = None


def standing(hits: Sequence[Earlier]) -> Standing:
    """What is left once every hit of the message is seen in the company of all the others.

    The first link of a burst looks like a person's until the second one is asked for: ask when the
    last hit is `BURST_US` old.
    """
    first: dict[Kind, int] = {}
    for i, hit in enumerate(hits):
        others = (*hits[:i], *hits[i + 1 :])
        if hit.who is Who.PERSON and _company(hit.kind, hit.nth, hit.at, others) is Sign.NONE:
            first[hit.kind] = min(hit.at, first.get(hit.kind, hit.at))
    return Standing(first.get(Kind.CLICK), first.get(Kind.OPEN))
