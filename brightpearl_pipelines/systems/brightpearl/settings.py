"""What connections.yaml may say about a Brightpearl account."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from brightpearl_pipelines.entities.models import LineKind, OrderStatus
from brightpearl_pipelines.entities.weight import KILOGRAMS, Unit
from brightpearl_pipelines.systems.brightpearl.contact_groups import CustomerGroup
from brightpearl_pipelines.systems.brightpearl.countries import countries
from brightpearl_pipelines.systems.contract import Settings, Tables


class InstanceApp(BaseModel):
    """An OAuth instance app (brightpearl.md §1.4), the way Brightpearl recommends."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["instance_app"]
    account: str
    datacentre: str
    app_ref: str
    dev_ref: str
    integration_instance_id: int
    """`installation_instance_id` of the token answer: with an order's externalRef it makes the order unique."""
    refresh_token_env: str
    client_secret_env: str | None = None


class PrivateApp(BaseModel):
    """A private app (brightpearl.md §1.2): legacy but working."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["private_app"]
    account: str
    datacentre: str
    app_ref: str
    integration_instance_id: int
    account_token_env: str


class BrightpearlSettings(Settings):
    """One account."""

    brightpearl: None = None
    auth: Annotated[InstanceApp | PrivateApp, Field(discriminator="kind")] | None = None
    requests_per_minute: Annotated[int, Field(gt=0)] = 200
    multi_message: bool = True
    order_statuses: dict[OrderStatus, int]
    order_progress: dict[int, OrderStatus] = Field(default_factory=dict)
    """Brightpearl's status id: our word; an order with a status that is not here is held. Empty: none is read."""
    tax_codes: dict[Decimal, str]
    """Rate in per cent: tax code."""
    nominal_codes: dict[LineKind, str]
    shipping_methods: dict[str, int]
    payment_methods: dict[str, str]
    price_lists: dict[str, int]
    customer_groups: dict[str, CustomerGroup] = Field(default_factory=dict)
    """Our word for a group of customers, as the shops' settings use it: the tag and the price list of its contacts."""
    base_currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None
    """What the account reckons in; where it is said, an order whose exchange rate is not in it is held."""
    weight_unit: Unit = "kg"
    """The account's product weight unit (brightpearl.md §10.4)."""
    details_minutes: Annotated[int, Field(ge=0)] = 15
    """Minutes after which all prices, brands and categories are read again; 0: only with a product that changed."""

    @model_validator(mode="after")
    def _complete(self) -> "BrightpearlSettings":
        if bool(self.sandbox) == (self.auth is not None):
            raise ValueError("a connection has either `sandbox: true` or `auth:`")
        missing = [kind.value for kind in LineKind if kind not in self.nominal_codes]
        if missing:
            raise ValueError(f"nominal_codes lacks: {', '.join(missing)}")
        for status in (OrderStatus.OPEN, OrderStatus.CANCELLED):
            if status not in self.order_statuses:
                raise ValueError(f"order_statuses lacks {status.value!r}")
        return self

    def tables(self) -> Tables:
        return {
            "countries": countries(),
            "tax_rates": {code: str(rate) for rate, code in self.tax_codes.items()},
            "weight": {"kilograms": str(KILOGRAMS[self.weight_unit])},
        }
