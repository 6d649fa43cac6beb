"""What makes two commands under one key the same command."""

import hashlib

from loyalty.rules.commands import (
    Accrue,
    Capture,
    Expire,
    Hold,
    Redeem,
    Release,
    Reverse,
)


def fingerprint(command: Accrue | Redeem | Hold | Capture | Release | Reverse | Expire) -> bytes:
    """Sixteen bytes of a command's meaning. Instants are left out: a repeat is told later."""
    return hashlib.blake2b(repr(_meaning(command)).encode(), digest_size=16).digest()


def _meaning(
    command: Accrue | Redeem | Hold | Capture | Release | Reverse | Expire,
) -> tuple[object, ...]:
    match command:
        case Accrue():
            extra: tuple[object, ...] = (command.source, command.sliding_days)
        case Redeem():
            extra = (command.sink,)
        case Hold():
            return ("Hold", command.account_id, command.points, command.reference)
        case Capture():
            extra = (command.hold_id,)
        case Reverse():
            extra = (command.transaction_id, command.clawback.value, command.grace_days)
        case Release():
            return ("Release", command.account_id, command.hold_id)
        case Expire():
            return ("Expire", command.account_id, command.lot_id)
    return (
        type(command).__name__,
        command.account_id,
        command.points,
        command.reason,
        command.reference,
        command.business_key,
        *extra,
    )
