"""What a link brings along: `/start promo_CODE` and `/start ref_CODE`."""

PROMO, REFERRAL = "promo_", "ref_"
START_LENGTH_MAX = 64


def payload_of(text: str | None) -> str:
    """What follows `/start`, as it can be kept until she has joined."""
    parts = (text or "").split(maxsplit=1)
    return parts[1].strip()[:START_LENGTH_MAX] if len(parts) > 1 else ""
