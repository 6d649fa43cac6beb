"""How often staff and their machines may ask, by the meters that all doors of the house share."""

from messaging.meters import Meter, Rate

__all__ = ["Meter", "Rate"]
