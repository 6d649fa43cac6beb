"""Troubles that are foreseen and said in one line, whoever meets them."""


class ForeseenError(RuntimeError):
    """The text is the whole message: what is wrong and what to do about it."""


class DatabaseBusyError(ForeseenError):
    """The SQLite file is already served by another process."""


class DatabaseUnreachableError(ForeseenError):
    """The database does not answer, or refuses us."""


class SchemaError(ForeseenError):
    """The database is not of the latest schema."""


class PortBusyError(ForeseenError):
    """Somebody else listens there."""


class SettingsError(ValueError):
    """One line that says which setting is wrong and why."""
