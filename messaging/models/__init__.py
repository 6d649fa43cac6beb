"""Tortoise tables of messaging, one file per noun family."""

from messaging.models.outbox import (
    Attempt,
    Contact,
    Decision,
    Message,
    Preference,
    Suppression,
)
from messaging.models.webchat import ChatMessage, ChatThread, DialogueState, UploadedFile

__all__ = [
    "Attempt",
    "ChatMessage",
    "ChatThread",
    "Contact",
    "Decision",
    "DialogueState",
    "Message",
    "Preference",
    "Suppression",
    "UploadedFile",
]
