"""From claimed messages and the facts to tries, or to the reasons why there are none (now).

Every question is answered by a policy (`messaging.policy`); here the answers are put in the order
of finality, and what they stood on is kept for the message's story.

    world     the programme's policies, the channels and their state; what comes out
    ways      which addresses are open to a message, and why the others are not
    deciding  one message: expiry, goal, consent, caps, quiet hours, route
    routing   the cheapest route through the open ways, and its first step as a try
    endings   what waits or ends, with its reason
    rivals    several messages for one customer
"""

from messaging.decisions.deciding import decide
from messaging.decisions.rivals import decide_all
from messaging.decisions.world import Held, Policies, Try, World

__all__ = ["Held", "Policies", "Try", "World", "decide", "decide_all"]
