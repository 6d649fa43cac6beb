"""Tortoise tables of messaging, one file per noun family."""

from messaging.models.journeys import (
    Enrolment,
    JourneyChange,
    JourneyRevision,
    JourneyScan,
    JourneySwitch,
)
from messaging.models.outbox import (
    Attempt,
    Contact,
    Decision,
    Message,
    Preference,
    Suppression,
)
from messaging.models.tasks import Task
from messaging.models.templates import TemplateRevision
from messaging.models.tracking import Hit, OptInRequest
from messaging.models.webchat import ChatMessage, ChatThread, DialogueState, UploadedFile
from messaging.models.webpush import PushSubscription

__all__ = [
    "Attempt",
    "ChatMessage",
    "ChatThread",
    "Contact",
    "Decision",
    "DialogueState",
    "Enrolment",
    "Hit",
    "JourneyChange",
    "JourneyRevision",
    "JourneyScan",
    "JourneySwitch",
    "Message",
    "OptInRequest",
    "Preference",
    "PushSubscription",
    "Suppression",
    "Task",
    "TemplateRevision",
    "UploadedFile",
]
