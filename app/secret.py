"""The programme's one secret: from the environment in production, made once for the demo."""

import os
import secrets
from pathlib import Path

from app.errors import SettingsError
from app.settings import Settings


def production_secret(settings: Settings) -> bytes:
    """Raises SettingsError without one: whoever invents it anew makes every card a forgery."""
    if settings.secret is None:
        raise SettingsError(
            "KAPSULA_SECRET: is needed here. Make one with "
            "`python3 -c 'import secrets; print(secrets.token_hex(32))'` and keep it safe"
        )
    return settings.secret.get_secret_value().encode()


def demo_secret(folder: Path) -> bytes:
    """The demo's own secret, kept beside its database for the owner of the files alone."""
    path = folder / "secret"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_hex(32).encode())
    return path.read_bytes()
