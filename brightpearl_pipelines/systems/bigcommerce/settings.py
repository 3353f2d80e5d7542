"""What connections.yaml may say about a BigCommerce store."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from brightpearl_pipelines.entities.models import OrderStatus
from brightpearl_pipelines.systems.contract import Settings, Tables


class Auth(BaseModel):
    """A store-level API account: the token, and for signed webhooks the client secret, by environment variable."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    store_hash: str
    access_token_env: str
    client_secret_env: str | None = None


class BigCommerceSettings(Settings):
    """One store."""

    brightpearl: str
    auth: Auth | None = None
    requests_per_30_seconds: Annotated[int, Field(gt=0)] = 150
    """Standard and Plus plans: 150; Pro: 450 (bigcommerce.md §1.3). The server's own headers lower it at run time."""
    channels: dict[str, int]
    """The shop's channel id: Brightpearl's channel id."""
    warehouses: Annotated[tuple[int, ...], Field(min_length=1)]
    """Brightpearl warehouses that this shop sells from, in order of preference."""
    safety_stock: Annotated[int, Field(ge=0)] = 0
    location: int = 1
    order_statuses: dict[str, OrderStatus]

    @model_validator(mode="after")
    def _somewhere(self) -> "BigCommerceSettings":
        if self.sandbox == (self.auth is not None):
            raise ValueError("a connection has either `sandbox: true` or `auth:`")
        return self

    def tables(self) -> Tables:
        return {
            "order_statuses": {key: value.value for key, value in self.order_statuses.items()},
            "channels": {key: key for key in self.channels},
        }
