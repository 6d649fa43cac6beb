"""Browsers that take notifications."""

from tortoise import fields
from tortoise.models import Model

from loyalty.ids import next_id
from loyalty.models.fields import InstantField


class PushSubscription(Model):
    """One browser's consent to be notified, of the web chat's thread that is open in it.

    Its `id` is the address that attempts name. Only `seen_at` and the end change: a browser that
    subscribes anew gets a new row. Of the open rows thread and endpoint are unique each. With its
    end the row forgets where the browser was.
    """

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    thread_id = fields.BigIntField()
    endpoint = fields.CharField(max_length=1024)
    endpoint_hash = fields.CharField(max_length=64)
    p256dh = fields.CharField(max_length=90)
    auth = fields.CharField(max_length=24)
    server_key = fields.CharField(max_length=90)  # the public key of ours that it was made for
    created_at = InstantField()
    seen_at = InstantField()
    ended_at = InstantField(null=True)
    # off (by her) | left (the thread speaks for nobody) | gone (the browser) | replaced
    ended_why = fields.CharField(max_length=16, default="")

    class Meta:
        table = "push_subscription"
