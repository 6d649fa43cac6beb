"""Journeys as they were published and switched, and who is inside.

A table with a two-column key has no model: `enrolment_step`, the steps that an enrolment has taken
with the end of each. The migration makes it.
"""

from tortoise import fields
from tortoise.models import Model

from loyalty.ids import next_id
from loyalty.models.fields import InstantField


class Enrolment(Model):
    """One customer's way through a journey: asleep until `wakes_at`, or ended with an outcome.

    `due_at` is when the time of its step is over, whatever has woken it before.
    """

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    journey = fields.CharField(max_length=32)
    revision = fields.IntField()
    customer_id = fields.BigIntField()
    trigger_key = fields.CharField(max_length=120)
    step = fields.CharField(max_length=32)
    begun = fields.BooleanField()  # its message is written, its waiting has begun
    data = fields.TextField()  # JSON: what started it, and what its steps have given
    heard = fields.TextField(default="")  # kinds of events since it began, with commas
    entered_at = InstantField()
    due_at = InstantField()
    wakes_at = InstantField()
    ended_at = InstantField(null=True)
    outcome = fields.CharField(max_length=48, default="")

    class Meta:
        table = "enrolment"
        unique_together = (("journey", "customer_id", "trigger_key"),)


class JourneyRevision(Model):
    """A journey as it was published once. Append-only. The highest number takes who enters.

    `moves_inside`: those inside an earlier one go on by this one where it has their step.
    """

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    journey = fields.CharField(max_length=32)
    number = fields.IntField()
    document = fields.TextField()  # JSON, see messaging.journeys.documents
    moves_inside = fields.BooleanField()
    author = fields.CharField(max_length=64)
    key = fields.CharField(max_length=120, unique=True)
    at = InstantField()

    class Meta:
        table = "journey_revision"
        unique_together = (("journey", "number"),)


class JourneySwitch(Model):
    """What staff have set about a journey, over what it declares. No row: as declared, and on."""

    journey = fields.CharField(max_length=32, primary_key=True)
    document = fields.TextField()  # JSON, see messaging.journeys.switches
    changed_at = InstantField()

    class Meta:
        table = "journey_switch"


class JourneyChange(Model):
    """Who has set a journey's switches when, from what to what. Append-only."""

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    journey = fields.CharField(max_length=32)
    at = InstantField()
    author = fields.CharField(max_length=64)
    before = fields.TextField()
    after = fields.TextField()

    class Meta:
        table = "journey_change"


class JourneyScan(Model):
    """When a journey has last looked for those whose time has come."""

    journey = fields.CharField(max_length=32, primary_key=True)
    at = InstantField()

    class Meta:
        table = "journey_scan"
