"""What a shop is told of who carries a parcel (bigcommerce.md §2.7).

Only the shape of a value is checked: both lists of carriers change without notice, and the shop refuses what it does
not know, which holds that shipment with the shop's own words.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

TrackingCarrier = Annotated[str, StringConstraints(pattern=r"^([a-z0-9]+(-[a-z0-9]+)*)?$", max_length=60)]
"""A courier's slug such as `dpd-uk`."""
ShippingProvider = Annotated[str, StringConstraints(pattern=r"^([a-z0-9]+|carrier_[0-9]+)?$", max_length=60)]
"""One of the shop's own integrations such as `royalmail` or `carrier_7`; empty for any other carrier."""


class Carrier(BaseModel):
    """The words for one of Brightpearl's shipping methods. What is empty is not told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tracking_carrier: TrackingCarrier = ""
    shipping_provider: ShippingProvider = ""
    shipping_method: Annotated[str, StringConstraints(strip_whitespace=True, max_length=255)] = ""

    def fields(self) -> dict[str, str]:
        """As a shipment carries them."""
        return {name: value for name, value in self.model_dump().items() if value}
