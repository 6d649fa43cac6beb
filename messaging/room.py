"""How many messages a worker holds at once: no more than its channels can take in time.

Where nobody says how fast a provider is (a mail server answers in 20 ms, or in two seconds) the
worker finds out, as TCP does: a little more while all goes well, half as much when somebody could
not be served (Chiu and Jain, Analysis of the Increase and Decrease Algorithms, 1989).
"""

LEAST = 16


class Room:
    """Between LEAST and `most` messages; it begins with all of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.now = most

    def learn(self, served: int, *, unserved: int) -> None:
        """`unserved`: there was no connection for them all the time that they could wait."""
        if unserved:
            self.now = min(self._most, max(LEAST, self.now // 2))
        else:
            self.now = min(self._most, self.now + served // 4)
