"""Templates that were saved: every revision stays."""

from tortoise import fields
from tortoise.models import Model

from loyalty.ids import next_id
from loyalty.models.fields import InstantField


class TemplateRevision(Model):
    """The whole template as a file, at one save. Append-only. The highest number holds."""

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    name = fields.CharField(max_length=64)
    revision = fields.IntField()
    source = fields.TextField()  # TOML
    author = fields.CharField(max_length=64)  # a login, or where the command came from
    key = fields.CharField(max_length=120, unique=True)
    at = InstantField()

    class Meta:
        table = "template_revision"
        unique_together = (("name", "revision"),)
