"""Short ways to have customers in a test."""

from typing import Any

from loyalty.customers import CustomerView, Joined
from loyalty.programme import Programme

ANNA, BORIS = "+79001234567", "+79007654321"


async def joining(programme: Programme, **changes: Any) -> Any:
    """Join with usual answers, but for `changes`; returns whatever `join` says."""
    answers: dict[str, Any] = {
        "front_kind": "telegram",
        "front_value": "1001",
        "phone": ANNA,
        "proof": "own_contact",
        "name": "Анна",
        "language": "ru",
        "consent_wording": "2026-01",
        "marketing": False,
        "source": "telegram",
    }
    return await programme.customers.join(**(answers | changes))


async def joined(programme: Programme, **changes: Any) -> CustomerView:
    answer = await joining(programme, **changes)
    assert isinstance(answer, Joined), answer
    return answer.customer
