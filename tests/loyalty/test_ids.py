"""Row numbers: rising whatever the clock does, and the same again by another clock."""

from loyalty.ids import EPOCH_MS, IdSource

NOW = EPOCH_MS + 1_000_000


def test_numbers_rise_while_the_clock_stands_still_or_is_set_back() -> None:
    ticks = iter([NOW, NOW, NOW - 50, NOW + 1])
    source = IdSource(node=3, now_ms=lambda: next(ticks))
    numbers = [source.next() for _ in range(4)]
    assert numbers == sorted(set(numbers))


def test_by_another_clock_the_same_numbers_come_again_and_then_its_own() -> None:
    source = IdSource(node=5, now_ms=lambda: NOW + 10_000)
    before = source.next()
    drawn = []
    for _ in range(2):
        with source.by(lambda: NOW, node=0):
            drawn.append([source.next() for _ in range(3)])
    assert drawn[0] == drawn[1]
    assert drawn[0] == sorted(set(drawn[0]))
    assert source.next() > before


def test_two_processes_number_differently_in_the_same_millisecond() -> None:
    one, other = (IdSource(node=node, now_ms=lambda: NOW) for node in (1, 2))
    assert {one.next() for _ in range(9)}.isdisjoint(other.next() for _ in range(9))
