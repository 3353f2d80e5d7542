"""What personal data looks like at rest: canonical JSON, compressed, sealed with Fernet; keyed hashes for looking up.

Keys come as a list. The first one seals; every one of them opens, so that a new key is put in front and the old rows
stay readable. The *last* one, the oldest, also feeds the hashes: a rotation therefore changes no digest (else every
record would look changed) and no token (else no customer would be found again). So the last key stays in the list for
as long as the database lives.
"""

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from brightpearl_pipelines.errors import ConfigurationError
from brightpearl_pipelines.store.types import Json

HOW_TO_MAKE_A_KEY = (
    'make one with: python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
)


def canonical(value: Any) -> bytes:
    """The one JSON text of a value: sorted keys, no spaces, decimals and ids as strings, instants in UTC as ISO 8601.

    Raises TypeError for what JSON cannot hold, and ValueError for NaN and infinities.
    """
    # ASCII escapes keep lone surrogates, which real APIs do send, out of the UTF-8 encoder.
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain).encode("ascii")


def _plain(value: object) -> object:
    match value:
        case Decimal() | UUID():
            return str(value)
        case datetime() if value.tzinfo is not None:
            return value.astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case Mapping():
            return dict(value)
        case _:
            raise TypeError(f"{type(value).__name__} cannot be stored as JSON: {value!r}")


class Cipher:
    """Seals, opens and hashes with the given Fernet keys (the first seals, all open, the last feeds the hashes)."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Raises ConfigurationError when there is no key or one is not a Fernet key."""
        if not keys:
            raise ConfigurationError(f"there is no encryption key; {HOW_TO_MAKE_A_KEY}")
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError as error:
            raise ConfigurationError(
                f"an encryption key is not 32 bytes in URL-safe base64; {HOW_TO_MAKE_A_KEY}"
            ) from error
        secret = base64.urlsafe_b64decode(keys[-1])
        self._digest_key = hashlib.blake2b(secret, digest_size=32, person=b"digest").digest()
        self._token_key = hashlib.blake2b(secret, digest_size=32, person=b"token").digest()

    def seal(self, obj: Json) -> bytes:
        """The object as bytes that say nothing without a key. Decimals come back as strings, exactly."""
        return self.seal_bytes(canonical(obj))

    def seal_bytes(self, text: bytes) -> bytes:
        """Like `seal`, for canonical JSON that is at hand already."""
        # Fernet speaks base64; the column takes bytes, so a quarter of the space can be saved.
        return base64.urlsafe_b64decode(self._fernet.encrypt(zlib.compress(text, level=1)))

    def open(self, sealed: bytes) -> dict[str, Any]:
        """What was sealed; ConfigurationError when none of the keys fits."""
        try:
            text = zlib.decompress(self._fernet.decrypt(base64.urlsafe_b64encode(sealed)))
        except InvalidToken as error:
            raise ConfigurationError(
                "stored data was encrypted with a key that is not at hand; add the former key to BPP_ENCRYPTION_KEY, "
                "behind the present one, separated by a comma"
            ) from error
        opened: dict[str, Any] = json.loads(text)
        return opened

    def digest(self, obj: Json) -> bytes:
        """A keyed hash of the canonical JSON: the same for equal objects, telling nothing about them."""
        return self.digest_bytes(canonical(obj))

    def digest_bytes(self, text: bytes) -> bytes:
        """Like `digest`, for canonical JSON that is at hand already."""
        return hashlib.blake2b(text, digest_size=16, key=self._digest_key).digest()

    def token(self, text: str) -> str:
        """A keyed hash by which a personal value, such as an e-mail address, is found without being stored."""
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=20, key=self._token_key).hexdigest()
