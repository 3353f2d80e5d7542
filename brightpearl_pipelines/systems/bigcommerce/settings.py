"""What connections.yaml may say about a BigCommerce store."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from brightpearl_pipelines.entities.models import OrderStatus
from brightpearl_pipelines.systems.bigcommerce.carriers import Carrier
from brightpearl_pipelines.systems.bigcommerce.catalogue_settings import Catalogue
from brightpearl_pipelines.systems.bigcommerce.pools import KeptBack, Pool, Units, named_twice, with_warehouses
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
    order_price_lists: dict[str, dict[str, int]] = Field(default_factory=dict)
    """The shop's channel id: currency: the price list that its orders name, where it is not that of the account."""
    warehouses: Annotated[tuple[int, ...], Field(min_length=1)]
    """Brightpearl warehouses that this shop sells from, in order of preference; with `locations`, all of theirs."""
    safety_stock: Units = 0
    """Units a SKU kept back from the shop."""
    safety_stock_for: KeptBack = KeptBack()
    """Other figures for some SKUs, categories and brands."""
    location: Annotated[int, Field(gt=0)] = 1
    locations: tuple[Pool, ...] = ()
    """In place of `warehouses` and `location`, where the shop's stock lives in several locations."""
    restock: Literal["none", "metafield"] = "none"
    """Whether the shop is told when more of a SKU is expected: by a metafield of the variant, which themes may show."""
    customer_groups: dict[str, str] = Field(default_factory=dict)
    """The shop's customer group id: our word for it; a group that is not here is not told to Brightpearl."""
    carriers: dict[str, Carrier] = Field(default_factory=dict)
    """Brightpearl's shipping method id: who carries the parcel, as the shop is told; others go without a carrier."""
    catalogue: Catalogue = Catalogue()
    order_statuses: dict[str, OrderStatus]
    returned_goods: Literal["none", "restock"] = "none"
    """Whether goods that the shop refunds come back to the warehouse they left: its refunds do not say (§2.8)."""
    authorisation_days: Annotated[int, Field(gt=0)] = 7
    """How long the payment provider keeps an authorisation; the shop does not say, Brightpearl must be told (§9.2)."""
    progress_statuses: dict[OrderStatus, int] = Field(default_factory=dict)
    """Our word for where Brightpearl has an order: the status id that the shop is given; others are not written."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, fields: Any) -> Any:
        return with_warehouses(fields)

    @model_validator(mode="after")
    def _pools(self) -> "BigCommerceSettings":
        twice = named_twice(self.locations)
        if twice is not None:
            raise ValueError(f"location {twice} is named twice in `locations`")
        return self

    @model_validator(mode="after")
    def _somewhere(self) -> "BigCommerceSettings":
        if bool(self.sandbox) == (self.auth is not None):
            raise ValueError("a connection has either `sandbox: true` or `auth:`")
        return self

    @property
    def pools(self) -> tuple[Pool, ...]:
        """The shop's locations, however they are written."""
        return self.locations or (Pool(location=self.location, warehouses=self.warehouses),)

    def sells_from(self) -> frozenset[str]:
        return frozenset(str(warehouse) for pool in self.pools for warehouse in pool.warehouses)

    def tables(self) -> Tables:
        return {
            "order_statuses": {key: value.value for key, value in self.order_statuses.items()},
            "channels": {key: key for key in self.channels},
        }
