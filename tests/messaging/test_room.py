"""A worker holds as many messages as its channels can take in time."""

import pytest

from messaging.room import LEAST, Room


@pytest.mark.parametrize(
    ("most", "learnt", "now"),
    [
        (512, [], 512),
        (512, [(256, 0)], 512),
        (512, [(200, 56)], 256),
        (512, [(200, 56), (200, 56)], 128),
        (512, [(200, 56), (100, 0)], 281),
        (512, [(200, 56), (256, 0), (256, 0), (256, 0), (256, 0)], 512),
        (512, [(0, 1)] * 20, LEAST),
        (4, [(0, 1)], 4),
        (4, [(4, 0)], 4),
    ],
)
def test_half_as_much_when_somebody_could_not_be_served(
    most: int, learnt: list[tuple[int, int]], now: int
) -> None:
    room = Room(most)
    for served, unserved in learnt:
        room.learn(served, unserved=unserved)
    assert room.now == now
