"""Errors that a person can mend: the message says what is wrong and what to do about it."""


class ConfigurationError(Exception):
    """The set-up is wrong or incomplete; nothing was started with it."""
