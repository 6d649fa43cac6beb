"""What a person has to do for a customer."""

from tortoise import fields
from tortoise.models import Model

from loyalty.ids import next_id
from loyalty.models.fields import InstantField


class Task(Model):
    """Opened once by its key, may be taken, ends as done with who and how.

    Her telephone is not in the row: it is looked up when the task is shown, as of that moment.
    """

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    key = fields.CharField(max_length=200, unique=True)
    kind = fields.CharField(max_length=32)  # detractor | win_back …
    customer_id = fields.BigIntField()
    why = fields.CharField(max_length=500)
    opened_at = InstantField()
    due_at = InstantField()
    taken_at = InstantField(null=True)
    taken_by = fields.CharField(max_length=64, default="")  # login
    done_at = InstantField(null=True)
    done_by = fields.CharField(max_length=64, default="")
    outcome = fields.CharField(max_length=16, default="")  # reached | no_answer | needless
    note = fields.CharField(max_length=1000, default="")  # for colleagues
    answer = fields.CharField(max_length=500, default="")  # for the customer, in the staff's words

    class Meta:
        table = "task"
        indexes = (("customer_id", "opened_at"),)
