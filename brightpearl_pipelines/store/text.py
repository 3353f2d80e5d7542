"""Text columns of Postgres cannot hold everything that an API may send in a message."""


def storable(text: str | None) -> str | None:
    """The text with what Postgres cannot store (NUL, lone surrogates) replaced by U+FFFD."""
    if text is None:
        return None
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\ufffd")
