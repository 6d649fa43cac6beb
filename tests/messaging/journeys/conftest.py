"""A stage of its own for each test, on both databases."""

from datetime import UTC, datetime

import pytest

from loyalty.clock import VirtualClock
from loyalty.programme import Programme
from tests.messaging.conftest import ToldChannel
from tests.messaging.journeys.stage import Stage


@pytest.fixture
def clock() -> VirtualClock:
    """Noon in Moscow: nobody's night."""
    return VirtualClock(datetime(2026, 3, 2, 9, 0, tzinfo=UTC))


@pytest.fixture
def channel() -> ToldChannel:
    """The messenger; SMS are the stage's own."""
    return ToldChannel("telegram", "webchat")


@pytest.fixture
async def stage(clock: VirtualClock, programme: Programme, channel: ToldChannel) -> Stage:
    """With the journeys of the house."""
    made = Stage(clock, programme, channel)
    await made.journeys.open()
    return made


@pytest.fixture
async def bare(clock: VirtualClock, programme: Programme, channel: ToldChannel) -> Stage:
    """With no journey yet."""
    return Stage(clock, programme, channel)
