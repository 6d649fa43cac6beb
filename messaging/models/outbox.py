"""A message is a row before it is a send; every try of a channel is a row too.

Tables with keys of several columns have no model: `provider_message` (which attempt an id of a
provider belongs to), `habit` (what a customer saw of what she was sent, per channel) and
`mailing_address` (where a mailing has been). The migrations make them.
"""

from tortoise import fields
from tortoise.models import Model

from loyalty.ids import next_id
from loyalty.models.fields import InstantField


class Message(Model):
    """Why, to whom, about what. Ends in `sent`, `skipped` or `failed`, always with a reason.

    queued   waits for `not_before` and a worker
    sending  claimed: `lease_until` and `lease_owner` say by whom and how long
    sent     a channel has accepted it; until `fallback_at` it waits for the wanted status
    skipped  it was right not to send it; `reason` says why
    failed   no channel could; `reason` says why
    unknown  the request was written but no answer came; resolved later, never blindly resent
    """

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    dedupe_key = fields.CharField(max_length=200, unique=True)
    customer_id = fields.BigIntField(null=True)
    address_kind = fields.CharField(max_length=16, default="")  # set when it goes to a bare address
    address = fields.CharField(max_length=254, default="")
    topic = fields.CharField(max_length=16)  # service | marketing | survey
    kind = fields.CharField(max_length=32, default="")  # finer than the topic: nps, birthday …
    source = fields.CharField(max_length=64, default="")  # what called for it: event:5, campaign:7
    enrolment_id = fields.BigIntField(null=True)  # whose step it is: asked again before it goes
    mailing = fields.CharField(max_length=64, db_default="")  # of which an address gets one
    template = fields.CharField(max_length=64)
    context = fields.TextField()  # JSON
    language = fields.CharField(max_length=8, default="")  # "" means the customer's own
    priority = fields.IntField(default=5)
    value = fields.BigIntField(default=0)  # of those that wait for a cap, the most worth goes first
    urgent = fields.BooleanField(default=False)  # goes out in quiet hours too
    channels = fields.CharField(max_length=64, default="")  # the allowed, with commas; "": any
    wants = fields.CharField(max_length=12, default="")  # "" | delivered | read, or a fallback
    reach_permille = fields.IntField(default=0)  # how sure it must be that she sees it
    cost_max = fields.BigIntField(null=True)  # millionths of the currency, all tries together
    goal = fields.CharField(max_length=16, default="")  # purchase: needless once she has bought
    state = fields.CharField(max_length=12)
    reason = fields.CharField(max_length=200, default="")
    created_at = InstantField()
    not_before = InstantField()
    expires_at = InstantField()
    lease_owner = fields.CharField(max_length=64, default="")
    lease_until = InstantField(null=True)
    tries = fields.IntField(default=0)
    fallback_at = InstantField(null=True)
    closed_at = InstantField(null=True)

    class Meta:
        table = "message"
        indexes = (("customer_id", "created_at"),)


class Attempt(Model):
    """One try by one channel at one address."""

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    message: fields.ForeignKeyRelation[Message] = fields.ForeignKeyField(
        "messaging.Message", related_name="attempts", on_delete=fields.RESTRICT
    )
    channel = fields.CharField(max_length=16)  # messenger | email | sms | webpush
    address_kind = fields.CharField(max_length=16)
    address = fields.CharField(max_length=254)
    body = fields.TextField(default="")
    state = fields.CharField(max_length=12)  # sending | sent | failed | unknown
    provider_id = fields.CharField(max_length=120, default="")
    error = fields.CharField(max_length=300, default="")
    cost = fields.BigIntField(default=0)  # millionths of the currency
    started_at = InstantField()
    finished_at = InstantField(null=True)
    # delivered | read | undelivered | bounced | complained
    status = fields.CharField(max_length=12, default="")
    status_at = InstantField(null=True)
    clicked_at = InstantField(null=True)
    ask_at = InstantField(null=True)  # of an unknown one: when its provider is asked again

    class Meta:
        table = "attempt"
        indexes = (("message_id",),)  # and those that are partial


class Decision(Model):
    """What was decided about a message at one moment, and upon what. Append-only."""

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    message_id = fields.BigIntField()
    at = InstantField()
    verdict = fields.CharField(max_length=8)  # send | wait | skip | fail
    reason = fields.CharField(max_length=200, default="")
    details = fields.TextField(default="")  # JSON: the routes considered, with their figures

    class Meta:
        table = "decision"
        indexes = (("message_id",),)


class Contact(Model):
    """A message that presses upon a customer: what the caps count. Taken back if nothing went."""

    message_id = fields.BigIntField(primary_key=True, generated=False)
    customer_id = fields.BigIntField()
    topic = fields.CharField(max_length=16)
    kind = fields.CharField(max_length=32, default="")
    channel = fields.CharField(max_length=16)
    at = InstantField()

    class Meta:
        table = "contact"
        indexes = (("customer_id", "at"),)


class Suppression(Model):
    """An address that is not written to, unless `topic` or `until` narrow it."""

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    address_kind = fields.CharField(max_length=16)
    address = fields.CharField(max_length=254)
    topic = fields.CharField(max_length=16, default="")  # "": every topic
    # bounced | blocked | complained | unsubscribed | by_hand | asleep …
    reason = fields.CharField(max_length=32)
    at = InstantField()
    until = InstantField()
    lifted_at = InstantField(null=True)

    class Meta:
        table = "suppression"


class Preference(Model):
    """How a customer wants to be written to, else by the programme's default."""

    customer_id = fields.BigIntField(primary_key=True, generated=False)
    quiet_from = fields.IntField(null=True)  # minutes since her midnight
    quiet_until = fields.IntField(null=True)
    weekly_max = fields.IntField(null=True)  # marketing and surveys in seven days
    topics_off = fields.CharField(max_length=64, db_default="")  # with commas: survey
    medicine_names = fields.BooleanField(db_default=False)  # in SMS and on locked screens, too
    updated_at = InstantField()

    class Meta:
        table = "preference"
