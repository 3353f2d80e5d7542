"""The same business in another region: an account and shops that reckon in another currency than pounds."""

from dataclasses import replace
from decimal import Decimal

from brightpearl_pipelines.sandbox.world import Channel, World

_RATE = Decimal("0.000001")


def in_currency(world: World, code: str) -> World:
    """The world with `code` as its base currency: the same figures on the price tags, rates for one unit of it.

    What was sold in the former base currency is sold in the new one. ValueError for a currency that it does not know.
    """
    if code == world.base_currency:
        return world
    rates = {currency.code: currency.rate for currency in world.currencies}
    if code not in rates:
        raise ValueError(f"the world knows no currency {code!r}; it has {', '.join(rates)}")
    own = rates[code]
    return replace(
        world,
        base_currency=code,
        currencies=tuple(
            replace(each, rate=Decimal(1) if each.code == code else (each.rate / own).quantize(_RATE))
            for each in world.currencies
        ),
        channels=tuple(_moved(channel, world.base_currency, code) for channel in world.channels),
    )


def _moved(channel: Channel, before: str, code: str) -> Channel:
    return replace(channel, name=f"Northwind {code}", currency=code) if channel.currency == before else channel
