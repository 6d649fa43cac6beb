"""Token buckets."""

from datetime import UTC, datetime, timedelta

from messaging.meters import Meter, Rate

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_burst_then_a_steady_rate() -> None:
    meter = Meter(Rate(burst=3, per_minute=6))
    assert [meter.take("a", START) for _ in range(4)] == [0, 0, 0, 10]
    assert meter.take("a", START + timedelta(seconds=9)) == 1
    assert meter.take("a", START + timedelta(seconds=10)) == 0
    assert meter.take("a", START + timedelta(hours=1)) == 0


def test_names_do_not_share() -> None:
    meter = Meter(Rate(burst=1, per_minute=1))
    assert (meter.take("a", START), meter.take("b", START), meter.take("a", START)) == (0, 0, 60)


def test_what_is_given_back_can_be_taken_again_and_no_more() -> None:
    meter = Meter(Rate(burst=1, per_minute=1))
    meter.take("a", START)
    for _ in range(5):
        meter.give_back("a", START)
    assert [meter.take("a", START) for _ in range(2)] == [0, 60]


def test_a_clock_set_back_neither_earns_nor_blocks_for_ever() -> None:
    meter = Meter(Rate(burst=1, per_minute=60))
    meter.take("a", START)
    assert meter.take("a", START - timedelta(hours=1)) == 1
    assert meter.take("a", START - timedelta(hours=1) + timedelta(seconds=1)) == 0


def test_memory_is_bounded_and_the_longest_silent_goes_first() -> None:
    meter = Meter(Rate(burst=1, per_minute=0.001), buckets_max=2)
    meter.take("a", START)
    meter.take("b", START)
    meter.take("a", START)  # refused, but heard
    meter.take("c", START)  # "b" is forgotten
    assert meter.take("a", START) > 0
    assert meter.take("b", START) == 0
