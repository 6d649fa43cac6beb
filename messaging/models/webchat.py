"""What the web chat remembers: threads, their transcript, files, and where each dialogue stands."""

from tortoise import fields
from tortoise.models import Model

from loyalty.ids import next_id
from loyalty.models.fields import InstantField


class ChatThread(Model):
    """One browser's conversation. `id` is the Bot API's chat id, and the visitor holds a secret."""

    id = fields.BigIntField(primary_key=True, generated=False)
    secret_hash = fields.CharField(max_length=64, unique=True)
    language = fields.CharField(max_length=8, default="ru")
    last_message_id = fields.BigIntField(default=0)
    keyboard = fields.TextField(default="")  # JSON of the reply keyboard that stands now
    created_at = InstantField()
    seen_at = InstantField()

    class Meta:
        table = "chat_thread"


class ChatMessage(Model):
    """One transcript row, as the browser shows it. `message_id` counts within its thread.

    `client_id` is the browser's own number of a text that it sent: the same text sent again after a
    lost connection is found by it and not stored twice.
    """

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    thread: fields.ForeignKeyRelation[ChatThread] = fields.ForeignKeyField(
        "messaging.ChatThread", related_name="messages", on_delete=fields.CASCADE
    )
    message_id = fields.BigIntField()
    client_id = fields.CharField(max_length=40, null=True)
    outgoing = fields.BooleanField()  # from us to the visitor
    body = fields.TextField()  # JSON: text, entities, photo, buttons
    at = InstantField()
    edited_at = InstantField(null=True)
    deleted_at = InstantField(null=True)

    class Meta:
        table = "chat_message"
        unique_together = (("thread", "message_id"),)


class UploadedFile(Model):
    """A picture that the bot sent, and its id is ours and outlives a restart."""

    id = fields.CharField(max_length=64, primary_key=True)
    media_type = fields.CharField(max_length=64)
    content = fields.BinaryField()
    created_at = InstantField()

    class Meta:
        table = "uploaded_file"


class DialogueState(Model):
    """Where a conversation stands (aiogram's FSM) without Redis. Holds nothing of value."""

    key = fields.CharField(max_length=200, primary_key=True)
    state = fields.CharField(max_length=120, null=True)
    data = fields.TextField(default="{}")
    updated_at = InstantField()

    class Meta:
        table = "dialogue_state"
