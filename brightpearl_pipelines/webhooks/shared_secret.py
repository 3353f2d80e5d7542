"""The secret that a connection's webhooks bear: made once, kept sealed, known to nobody else but the system."""

import secrets

from brightpearl_pipelines.store import vault
from brightpearl_pipelines.store.database import Store


def shared_secret(store: Store, connection: str) -> str:
    """The connection's secret, made at its first use: 43 characters that need no escaping in an address."""
    name = f"webhook:{connection}"
    with store.transaction() as tx:
        kept = vault.get(tx, name) or vault.locked(tx, name)
        if kept is None:
            kept = {"secret": secrets.token_urlsafe(32)}
            vault.put(tx, name, kept)
    return str(kept["secret"])
