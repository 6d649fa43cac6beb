"""What the outbox tells Prometheus."""

from prometheus_client import Counter, Gauge, Histogram

MESSAGES = Counter(
    "kapsula_messages_closed", "Messages that reached a final state", ("state", "reason")
)
DELAY = Histogram(
    "kapsula_message_delay_seconds",
    "From the message's row to its acceptance by the channel",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3600),
)
IN_FLIGHT = Gauge("kapsula_messages_in_flight", "Sends under way in this process")
EVENTS = Counter("kapsula_events_handled", "Events turned into messages", ("kind", "outcome"))
ENROLMENTS = Counter(
    "kapsula_enrolments_ended", "Customers who have left a journey", ("journey", "outcome")
)
