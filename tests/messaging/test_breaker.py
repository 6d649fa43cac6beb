"""When a provider is down, one message at a time finds out whether it is back."""

from messaging.breaker import Breaker, BreakerRules

S = 1_000_000


def test_it_opens_probes_and_closes() -> None:
    breaker = Breaker(BreakerRules(failures=3, open_s=10, open_s_max=15))
    for at in range(3):
        assert breaker.admits(at * S)
        breaker.started()
        breaker.failed(at * S)
    assert not breaker.admits(11 * S)
    assert breaker.opens_at() == 12 * S
    assert breaker.admits(12 * S)
    breaker.started()
    assert not breaker.admits(12 * S), "one probe at a time"
    breaker.failed(12 * S)
    assert breaker.opens_at() == 27 * S, "twice as long, up to a bound"
    breaker.started()
    breaker.succeeded()
    assert breaker.admits(27 * S)


def test_a_success_in_between_keeps_it_closed() -> None:
    breaker = Breaker(BreakerRules(failures=2))
    for at in range(10):
        breaker.failed(at)
        breaker.succeeded()
    assert breaker.admits(10)
