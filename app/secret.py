"""The programme's secrets: from the environment in production, made once for the demo."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from app.errors import SettingsError
from app.settings import Settings
from messaging.channels.webpush.vapid import VapidKey


def production_secret(settings: Settings) -> bytes:
    """Raises SettingsError without one: whoever invents it anew makes every card a forgery."""
    if settings.secret is None:
        raise SettingsError(
            "KAPSULA_SECRET: is needed here. Make one with "
            "`python3 -c 'import secrets; print(secrets.token_hex(32))'` and keep it safe"
        )
    return settings.secret.get_secret_value().encode()


def demo_secret(folder: Path) -> bytes:
    """The demo's own secret, kept beside its database."""
    return _kept(folder / "secret", lambda: secrets.token_hex(32))


def demo_push_key(folder: Path) -> str:
    """The demo's own key for web push: it outlives a restart, so that subscriptions do."""
    return _kept(folder / "webpush.key", lambda: VapidKey.new().spelled).decode()


def _kept(path: Path, make: Callable[[], str]) -> bytes:
    """What the file has, for the owner of the files alone; made if there is none yet."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(handle, "wb") as file:
        file.write(make().encode())
    return path.read_bytes()
