"""How a command names a customer: by id, telephone, card number or e-mail."""

from app.commands.session import no
from loyalty.database import query
from loyalty.identities import normalise_email, normalise_phone
from loyalty.refusals import Refusal

_BY_IDENTITY = """
    SELECT customer_id FROM identity
    WHERE ended_at IS NULL AND (kind = 'card' AND value = $1 OR kind = 'phone' AND value = $2
        OR kind = 'email' AND value = $3)
    LIMIT 1
"""


async def customer_id_of(text: str, region: str) -> int:
    """The customer's id; CommandError when nobody is known by `text`."""
    is_number = text.isascii() and text.isdigit() and len(text) < 19
    if is_number and await query("SELECT 1 FROM customer WHERE id = $1", None, int(text)):
        return int(text)
    phone, email = normalise_phone(text, region), normalise_email(text)
    rows = await query(
        _BY_IDENTITY,
        None,
        text,
        "" if isinstance(phone, Refusal) else phone,
        "" if isinstance(email, Refusal) else email,
    )
    if not rows:
        no(f"nobody is known by {text!r}: give a customer's id, telephone, card number or e-mail")
    return int(rows[0]["customer_id"])
