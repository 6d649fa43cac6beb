"""Tortoise tables of messaging, one file per noun family."""

from messaging.models.outbox import Attempt, Message
from messaging.models.webchat import ChatMessage, ChatThread, DialogueState, UploadedFile

__all__ = ["Attempt", "ChatMessage", "ChatThread", "DialogueState", "Message", "UploadedFile"]
