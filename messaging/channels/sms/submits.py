"""The requests that a text becomes: one submit_sm for each part, encoded, with its header.

The library is given words that are cut and encoded already: it would count letters where septets
count (a euro takes two), and hand back the id of one part alone.
"""

import re
from datetime import timedelta

from aiosmpplib import NPI, TON, GSM7BitCodec, PhoneNumber, SubmitSm

from messaging.policy.sms_segments import Encoding, encoding_of, split

UDHI = 0b0100_0000
"""In esm_class: the message begins with a user data header."""
TTL_S_MAX = 7 * 24 * 3600
_SHORT_NUMBER_DIGITS_MAX = 6


def source_of(sender: str) -> PhoneNumber:
    """A sender's name, its short number, or an international number."""
    digits = sender.removeprefix("+")
    if not re.fullmatch(r"\d+", digits, re.ASCII):
        return PhoneNumber(sender, TON.ALPHANUMERIC, NPI.UNKNOWN)
    if len(digits) <= _SHORT_NUMBER_DIGITS_MAX and digits == sender:
        return PhoneNumber(digits, TON.NETWORK_SPECIFIC, NPI.UNKNOWN)
    return PhoneNumber(digits, TON.INTERNATIONAL, NPI.ISDN)


def parts_of(
    text: str, *, source: PhoneNumber, number: str, ttl_s: int | None, reference: int
) -> list[SubmitSm]:
    """The parts in order. `reference` (0 to 255) tells a telephone which belong together."""
    encoding, texts = encoding_of(text), split(text)
    validity = None if ttl_s is None else timedelta(seconds=min(max(ttl_s, 1), TTL_S_MAX))
    parts = []
    for nth, words in enumerate(texts, start=1):
        header = bytes((5, 0, 3, reference, len(texts), nth)) if len(texts) > 1 else b""
        part = SubmitSm(
            short_message=words,
            source=source,
            destination=PhoneNumber(number, TON.INTERNATIONAL, NPI.ISDN),
            esm_class=UDHI if header else 0,
            encoding="ucs2" if encoding == "ucs2" else None,
            auto_message_payload=False,
            validity_period=validity,
        )
        part.set_encoded_message(header + _encoded(words, encoding))
        parts.append(part)
    return parts


def _encoded(words: str, encoding: Encoding) -> bytes:
    if encoding == "ucs2":
        return words.encode("utf-16-be")
    octets: bytes = GSM7BitCodec().encode(words)[0]
    return octets
