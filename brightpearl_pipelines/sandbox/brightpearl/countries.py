"""Countries as Brightpearl names them: an id of its own, ISO 3166 alpha-2 and alpha-3."""

from functools import cache

import pycountry

from brightpearl_pipelines.sandbox.brightpearl.wire import JsonObject

# The ids of the real service are only known for one country (222 in §5.1); the others take
# the free numbers in the order of their codes.
_UNITED_KINGDOM_ID = 222


@cache
def _by_code() -> dict[str, JsonObject]:
    table: dict[str, JsonObject] = {}
    lands = sorted(pycountry.countries, key=lambda land: land.alpha_2)
    numbers = iter(number for number in range(1, len(lands) + 1) if number != _UNITED_KINGDOM_ID)
    for land in lands:
        number = _UNITED_KINGDOM_ID if land.alpha_2 == "GB" else next(numbers)
        entry = {"countryId": number, "iso2": land.alpha_2, "iso3": land.alpha_3, "name": land.name}
        for key in (land.alpha_2, land.alpha_3, str(number)):
            table[key] = entry
    return table


def country(code_or_id: object) -> JsonObject | None:
    """`{countryId, iso2, iso3, name}` for a 2- or 3-letter code (clients send both, §11.22) or an id."""
    return _by_code().get(str(code_or_id).strip().upper())
