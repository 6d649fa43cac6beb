"""Medicines that customers take, what came to them, and how fast the base uses each up."""

from tortoise import fields
from tortoise.models import Model

from loyalty.ids import next_id
from loyalty.models.fields import InstantField


class RefillCourse(Model):
    """One medicine of one customer, whatever the pack (`item` says which, see `rules.refill`).

    `version` counts all that happens to it, `settled_version` is the one that the figures below
    were reckoned for; `cycle` counts what calls for a reminder of its own, `told_cycle` is the last
    that was reminded of.
    """

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    customer_id = fields.BigIntField()
    item = fields.CharField(max_length=210)
    sku = fields.CharField(max_length=64, default="")  # bought last; "" when it is none of ours
    name = fields.CharField(max_length=200)
    prescription_only = fields.BooleanField(default=False)
    pack_units = fields.IntField()
    daily_milli = fields.BigIntField()
    daily_told = fields.BooleanField(default=False)  # by herself, not by the catalogue
    base_at = InstantField(null=True)
    base_milli = fields.BigIntField(default=0)
    base_told = fields.BooleanField(default=False)
    regime = fields.IntField(default=0)  # rises with each base; supplies of earlier ones are in it
    state = fields.CharField(max_length=8, default="active")  # active | stopped
    snoozed_until = InstantField(null=True)
    cycle = fields.IntField(default=1)
    told_cycle = fields.IntField(default=0)
    version = fields.BigIntField(default=1)
    settled_version = fields.BigIntField(default=0)
    run_out_at = InstantField(null=True)
    due_at = InstantField(
        null=True
    )  # the run-out that one is reminded of; null: not to be reminded
    expected_at = InstantField(null=True)  # when she is expected to buy it again
    pace_permille = fields.IntField(default=1000)  # how fast, compared with the doses a day
    intervals = fields.IntField(default=0)  # between purchases: what her pace was learned from
    created_at = InstantField()

    class Meta:
        table = "refill_course"


class RefillSupply(Model):
    """Goods that came to a course. The id is that of the receipt's line where there is one."""

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    course_id = fields.BigIntField()
    receipt_id = fields.BigIntField(null=True)  # null: she has said so
    pack_units = fields.IntField()
    at = InstantField()
    units_milli = fields.BigIntField()
    back_milli = fields.BigIntField(default=0)
    back_at = InstantField(null=True)
    regime = fields.IntField(default=0)

    class Meta:
        table = "refill_supply"
        indexes = (("course_id", "at"),)


class RefillPace(Model):
    """How fast all who take one medicine use it up. "" stands for all medicines together."""

    item = fields.CharField(max_length=210, primary_key=True)
    courses = fields.BigIntField()
    pace_permille = fields.IntField()
    late_milli = fields.BigIntField()  # thousandths of a day after the run-out that one buys
    learned_at = InstantField()

    class Meta:
        table = "refill_pace"
