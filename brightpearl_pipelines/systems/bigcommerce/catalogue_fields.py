"""A product's fields in terms that both sides share, and which side's value stands.

Values are text, truth or lists of text; amounts are decimals as text without trailing zeros; None is "nothing said".
A shop product has fields of its own (name, visibility …), and fields of each variant (SKU, price …); what has no
options has all of them in one place (bigcommerce.md §3.1, §3.2).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from brightpearl_pipelines.entities.money import to_minor_unit
from brightpearl_pipelines.entities.weight import from_kilograms
from brightpearl_pipelines.store.types import Json
from brightpearl_pipelines.systems.bigcommerce.catalogue_settings import Catalogue

Values = dict[str, Any]
Authority = Literal["always", "first", "second", "never"]
LONGEST_NAME = 250
"""§3.1."""
CUSTOM = "custom:"
NEVER_BLANK = ("name", "sku", "price", "weight")
SHOWN = ("visible", "purchasable")
"""What a shop does by itself; that it does not is somebody's wish."""
SETTING = {"upc": "identifiers", "mpn": "identifiers", "gtin": "identifiers", "purchasable": "visible"}
"""The word in the settings, where it is another."""


class UnpricedError(Exception):
    """A price that cannot be worked out; says why."""


def setting_of(name: str) -> str:
    """What the settings, and survivorship, call the field of a value."""
    return "custom_fields" if name.startswith(CUSTOM) else SETTING.get(name, name)


def amount_text(value: object) -> str:
    """A number as text, the same for 8.3, 8.30 and 8.3000."""
    return format(Decimal(str(value)).normalize(), "f")


# -- what Brightpearl says ----------------------------------------------------------------------------------------


def product_values(content: Json, name: str, *, live: bool, catalogue: Catalogue) -> Values:
    """The fields of the shop product that a golden record speaks for."""
    values: Values = {
        "name": name[:LONGEST_NAME] or None,
        "description": content.get("description") or None,
        "visible": live,
    }
    brand = str(content.get("brand") or "")
    values["brand"] = catalogue.brands.get(brand, brand) or None
    categories = [catalogue.categories.get(each, each) for each in content.get("categories") or ()]
    values["categories"] = sorted(set(categories)) or None
    told = content.get("custom_fields") or {}
    values |= {f"{CUSTOM}{theirs}": told.get(ours) or None for ours, theirs in catalogue.custom_fields.items()}
    return values


def variant_values(content: Json, catalogue: Catalogue) -> Values:
    """The fields of the variant that a golden record is. Raises UnpricedError."""
    weight = Decimal(str(content.get("weight") or 0))
    return {
        "sku": content["sku"],
        "price": price(content, catalogue.price_list, catalogue),
        # Brightpearl shows 0 for what was never weighed.
        "weight": amount_text(from_kilograms(weight, catalogue.weight_unit)) if weight else None,
        "upc": content.get("upc") or None,
        "mpn": content.get("mpn") or None,
        "gtin": content.get("ean") or content.get("isbn") or None,
    }


def price(content: Json, price_list: int | None, catalogue: Catalogue) -> str | None:
    """The price in a Brightpearl price list as the shop enters prices, with tax or without; None where there is none.

    Raises UnpricedError where tax must be added or taken off at an unknown rate.
    """
    found = (content.get("prices") or {}).get(str(price_list))
    if found is None:
        return None
    amount, gross = Decimal(str(found["amount"])), bool(found["gross"])
    if gross == catalogue.prices_include_tax:
        return amount_text(amount)
    rate = content.get("tax_rate")
    if rate is None:
        code = content.get("tax_code") or "none"
        how = "with" if catalogue.prices_include_tax else "without"
        raise UnpricedError(f"its tax code is {code}, whose rate is not known, and the shop's prices are {how} tax")
    factor = 1 + Decimal(str(rate)) / 100
    return amount_text(to_minor_unit(amount / factor if gross else amount * factor, found["currency"]))


def currency_of(content: Json, price_list: int) -> str | None:
    """The currency of a Brightpearl price list, as far as the product has a price in it."""
    found = (content.get("prices") or {}).get(str(price_list))
    return str(found["currency"]) if found else None


# -- what the shop says -------------------------------------------------------------------------------------------


def shown_of_product(product: Json, shelves: Json | None) -> Values:
    """The same fields as a shop product's record has them; `shelves`: the names of its brand and categories."""
    values: Values = {
        "name": product["name"],
        "description": product.get("description") or None,
        "visible": bool(product.get("is_visible", True)),
    }
    if shelves is not None:
        values["brand"] = shelves.get("brand") or None
        values["categories"] = sorted(shelves.get("categories") or ()) or None
    values |= {f"{CUSTOM}{each['name']}": each["value"] for each in product.get("custom_fields") or ()}
    return values


def shown_of_variant(product: Json, variant: Json) -> Values:
    """The same fields as a variant has them; what it inherits it has too (§3.2)."""
    simple = not variant.get("option_values")
    holder = product if simple else variant
    values: Values = {
        "sku": str(variant.get("sku") or ""),
        **{name: str(holder.get(name) or "") or None for name in ("upc", "mpn", "gtin")},
    }
    for name in ("price", "weight"):
        own = holder.get(name)
        inherited = product.get(name) if own is None else own
        values[name] = None if inherited is None else amount_text(inherited)
    if not simple:
        values["purchasable"] = not variant.get("purchasing_disabled", False)
    return values


# -- which value stands -------------------------------------------------------------------------------------------


@dataclass
class Settled:
    """What became of the fields of one record."""

    writes: Values = field(default_factory=dict)
    common: Values = field(default_factory=dict)
    """What is agreed from now on without any write."""
    stands: Values = field(default_factory=dict)
    """What Brightpearl says and the shop should have in the end; what stands by the shop's word is not among it."""
    before: Values = field(default_factory=dict)
    conflicts: list[tuple[str, Any, Any, bool]] = field(default_factory=list)
    """(field, ours, theirs, whether ours wins)."""


def settle(ours: Values, theirs: Values, base: Json, authority: Mapping[str, Authority]) -> Settled:
    """Three-way merge of each field that both sides have something to say about.

    Whoever changed it since it was agreed is followed; if both did, authority decides. A field met for the first time
    is written, unless the shop has the first word; but nothing that the shop hides then is shown.
    """
    result = Settled()
    for name, value in ours.items():
        word = authority[name]
        shown, agreed = theirs.get(name), base.get(name)
        if word == "never" or (value is None and agreed is None):
            continue  # never having said anything is not the wish to blank a field
        if value is None and name in NEVER_BLANK:
            continue
        if name in SHOWN and name not in base:
            agreed = True
        result.before[name] = shown
        result.stands[name] = value
        if value == shown:
            if name not in base or agreed != value:
                result.common[name] = value
            continue
        if word == "always" or (shown == agreed and agreed is not None):
            result.writes[name] = value
            continue
        known = agreed is not None
        if known and value == agreed:
            del result.stands[name]
            continue
        if known:
            result.conflicts.append((name, value, shown, word == "first"))
        if word == "first":
            result.writes[name] = value
        else:
            del result.stands[name]
            result.common[name] = value
    return result


def kept(values: Values, catalogue: Catalogue) -> Values:
    """Those fields that the settings keep in step."""
    return {name: value for name, value in values.items() if setting_of(name) in catalogue.fields}


def authorities(
    names: Iterable[str], ranking: Mapping[str, Sequence[str]], account: str, shop: str
) -> dict[str, Authority]:
    """Whose word counts, by field. Nothing said: Brightpearl's first. Only one of both named: its alone."""
    found: dict[str, Authority] = {}
    for name in names:
        ranked = ranking.get(setting_of(name), ())
        if account in ranked and shop in ranked:
            found[name] = "first" if ranked.index(account) < ranked.index(shop) else "second"
        elif shop in ranked:
            found[name] = "never"
        else:
            found[name] = "always" if account in ranked else "first"
    return found
