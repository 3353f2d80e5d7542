"""Brightpearl's three-letter country codes and our two-letter ones (ISO 3166, through pycountry)."""

from collections.abc import Mapping
from functools import cache

import pycountry


@cache
def countries() -> Mapping[str, str]:
    """alpha-3 to alpha-2, as a lookup table of the mappings."""
    return {country.alpha_3: country.alpha_2 for country in pycountry.countries}
