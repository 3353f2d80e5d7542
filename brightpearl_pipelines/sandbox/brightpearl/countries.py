"""Countries as Brightpearl names them: an id of its own, ISO 3166 alpha-2 and alpha-3."""

from functools import cache

import pycountry

from brightpearl_pipelines.sandbox.brightpearl.wire import JsonObject

# The ids of the real service are only known for one country (222 in §5.1); the others continue the alphabet from there.
_UNITED_KINGDOM_ID = 222


@cache
def _by_code() -> dict[str, JsonObject]:
    table: dict[str, JsonObject] = {}
    others = sorted((country for country in pycountry.countries if country.alpha_2 != "GB"), key=lambda c: c.alpha_2)
    numbers = [number for number in range(1, len(others) + 2) if number != _UNITED_KINGDOM_ID]
    united_kingdom = pycountry.countries.get(alpha_2="GB")
    for number, country in [*zip(numbers, others, strict=True), (_UNITED_KINGDOM_ID, united_kingdom)]:
        entry = {"countryId": number, "iso2": country.alpha_2, "iso3": country.alpha_3, "name": country.name}
        for key in (country.alpha_2, country.alpha_3, str(number)):
            table[key] = entry
    return table


def country(code_or_id: object) -> JsonObject | None:
    """`{countryId, iso2, iso3, name}` for a 2- or 3-letter code (clients send both, §11.22) or an id."""
    return _by_code().get(str(code_or_id).strip().upper())
