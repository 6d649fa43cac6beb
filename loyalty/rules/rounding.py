"""How numbers are rounded, stated once: points down, money half up, shares without a rest."""

from collections.abc import Sequence


def points_down(numerator: int, denominator: int) -> int:
    """Whole points of a non-negative fraction: the customer gets only what she earned in full."""
    return numerator // denominator


def money_half_up(numerator: int, denominator: int) -> int:
    """Minor units of a non-negative fraction; exactly half goes up."""
    return (2 * numerator + denominator) // (2 * denominator)


def shares(total: int, weights: Sequence[int], caps: Sequence[int] | None = None) -> list[int]:
    """Split `total` in proportion to `weights`, so that the parts add up to it exactly.

    Each part is its exact share rounded down; what is left goes one by one to the largest
    remainders, the earlier line first (Hamilton's method). With `caps` no part exceeds its cap.
    The caller sees to it that `total` fits: `total <= sum(caps)`, no share above its cap, and
    `total == 0` when there is no weight.
    """
    whole = sum(weights)
    if whole == 0:
        assert total == 0, "points to share, and no line to bear them"
        return [0] * len(weights)
    parts = [total * weight // whole for weight in weights]
    left = total - sum(parts)
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    while left > 0:
        before = left
        for i in by_remainder:
            if left and weights[i] and (caps is None or parts[i] < caps[i]):
                parts[i] += 1
                left -= 1
        assert left < before, "the total does not fit the caps"
    return parts
