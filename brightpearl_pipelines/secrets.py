"""Secrets come from the environment, by the names that connections.yaml gives them; they are read when needed."""

import os

from brightpearl_pipelines.errors import ConfigurationError


def secret(variable: str, connection: str) -> str:
    """What the variable holds. Raises ConfigurationError that says which one is missing, and for what."""
    value = os.environ.get(variable, "")
    if not value:
        raise ConfigurationError(
            f"connection {connection}: the environment variable {variable} is not set; connections.yaml names it as a "
            f"secret of this connection. Set it, e.g. in .env, and start again"
        )
    return value
