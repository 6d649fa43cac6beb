"""A chain of shops on a fresh database."""

import pytest

from loyalty.clock import VirtualClock
from tests.admin.people import Chain, open_chain


@pytest.fixture
async def chain(db: str, clock: VirtualClock) -> Chain:
    return await open_chain(clock)
