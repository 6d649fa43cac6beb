"""What a mail server's reply, or a bounce that quotes one, says about a mail and its address.

By the enhanced code (RFC 3463) where there is one; the words decide only what codes leave open.
"""

import re
from dataclasses import dataclass

from messaging.channels.base import Failed

ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_NO_SUCH_USER = re.compile(
    r"user (?:is )?(?:unknown|not found)|unknown (?:user|recipient|mailbox|local)|no such (?:user"
    r"|recipient|mailbox|address|person)|does ?n[o']t exist|invalid (?:recipient|mailbox|user)"
    r"|recipient (?:address )?(?:not found|unknown)|mailbox (?:not found|unavailable)"
    r"|no mailbox here|not a valid mailbox|addressee unknown",
    re.IGNORECASE,
)
_FULL = re.compile(r"(?:mailbox|quota|inbox|storage).{0,40}(?:full|exceeded)|over ?quota", re.I)
_GREY = re.compile(r"gr[ea]y-?list", re.IGNORECASE)
_RELAY = re.compile(
    r"relay(?:ing)? (?:access )?(?:denied|not permitted|prohibited)|not? relay", re.I
)
_DISABLED = re.compile(
    r"(?:account|mailbox|user|address).{0,30}(?:disabled|deactivated|inactive|suspended|closed)",
    re.IGNORECASE,
)
_WAIT = re.compile(
    r"(?:in|after|for|wait)\s+(?:about\s+)?(\d{1,5})\s*(s|sec|seconds?|m|min|minutes?)\b", re.I
)

GREYLIST_WAIT_S = 300.0
FULL_WAIT_S = 3600.0
WAIT_S_MAX = 6 * 3600.0

GONE = frozenset({"address_unknown", "domain_unknown", "mailbox_disabled"})
"""Reasons that are the address's own: it never takes anything."""

_BY_DETAIL = {
    "1.1": "address_unknown",
    "1.2": "domain_unknown",
    "1.3": "address_unknown",
    "1.6": "address_unknown",
    "1.10": "address_unknown",
    "2.1": "mailbox_disabled",
    "2.2": "mailbox_full",
    "2.3": "message_too_large",
    "3.4": "message_too_large",
    "4.4": "domain_unknown",
}


@dataclass(frozen=True, slots=True)
class Meaning:
    """`permanent` is about this address; a server in trouble with us is `provider_down`."""

    reason: str
    permanent: bool
    provider_down: bool = False
    wait_s: float | None = None

    def failed(self, detail: str) -> Failed:
        return Failed(
            self.reason,
            self.permanent,
            retry_after_s=self.wait_s,
            detail=one_detail(detail),
            provider_down=self.provider_down,
        )


def meaning(code: int, text: str) -> Meaning:
    """Of a refusal (4xx or 5xx) of a recipient or of the content."""
    found = ENHANCED.search(text)
    if found and found[1] != str(code)[0]:  # quoted from elsewhere; the server's own code holds
        found = None
    kind, detail = (found[1], f"{found[2]}.{found[3]}") if found else (str(code)[0], "")
    reason = _BY_DETAIL.get(detail, "") or _by_words(code, detail, text)
    if code == 421:
        return Meaning("provider_down", False, provider_down=True, wait_s=_wait(text))
    if reason == "mailbox_full":
        return Meaning(reason, False, wait_s=FULL_WAIT_S)
    if reason == "relay_denied":
        return Meaning(reason, False, provider_down=True)
    if kind == "5":
        return Meaning(reason or "refused_by_provider", True)
    if reason == "greylisted":
        return Meaning(reason, False, wait_s=_wait(text) or GREYLIST_WAIT_S)
    down = detail.startswith("3.") and detail != "3.4"  # the server itself, such as a full disk
    return Meaning(reason or "not_now", False, provider_down=down, wait_s=_wait(text))


def _by_words(code: int, detail: str, text: str) -> str:
    """Codes of our own account and of policies say little without the words beside them."""
    if _RELAY.search(text):
        return "relay_denied"
    if code < 500:
        grey = _GREY.search(text) or (detail == "7.1" and _wait(text))
        return "greylisted" if grey else ("mailbox_full" if _FULL.search(text) else "")
    if code == 552 and detail in ("", "2.0") and not re.search(r"size|large|long", text, re.I):
        return "mailbox_full"
    if _FULL.search(text):
        return "mailbox_full"
    if detail.startswith("7."):
        return "refused_by_policy"
    if _NO_SUCH_USER.search(text):
        return "address_unknown"
    return "mailbox_disabled" if _DISABLED.search(text) else ""


def _wait(text: str) -> float | None:
    found = _WAIT.search(text)
    if found is None:
        return None
    return min(float(found[1]) * (60 if found[2][0].lower() == "m" else 1), WAIT_S_MAX)


def one_detail(text: str) -> str:
    """A server's words on one line of bounded length, without what a database cannot keep."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:200]
