"""Examines a Brightpearl account. Facts: brightpearl.md, cited by section."""

from collections.abc import Mapping
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from brightpearl_pipelines.http.client import read_json
from brightpearl_pipelines.systems.bigcommerce.settings import BigCommerceSettings
from brightpearl_pipelines.systems.brightpearl.settings import BrightpearlSettings
from brightpearl_pipelines.systems.examination import Examination

WEIGHT_UNITS = {"KILOGRAM": "kg", "GRAM": "g", "POUND": "lb", "OUNCE": "oz"}
"""Brightpearl's words; only GRAM is documented (§10.4)."""
ACCOUNT = "integration-service/account-configuration"
LOW_SHARE = 0.5
"""With less than this share of the limit left at our first call, somebody else draws on it."""


async def examine(examination: Examination) -> None:
    """Credential, limit, clock, and every code of connections.yaml. Raises UnusableError."""
    settings = examination.session.settings
    assert isinstance(settings, BrightpearlSettings)  # noqa: S101 - this examiner is only asked about Brightpearl
    await _account(examination, settings)
    await _order_statuses(examination, settings)
    await _tax_codes(examination, settings)
    await _price_lists(examination, settings)
    await _simple(
        examination, "shipping methods", "warehouse-service/shipping-method", "id", _words(settings.shipping_methods)
    )
    await _simple(examination, "payment methods", "accounting-service/payment-method", "code", settings.payment_methods)
    nominal_codes = {kind.value: code for kind, code in settings.nominal_codes.items()}
    await _simple(examination, "nominal codes", "accounting-service/nominal-code", "code", nominal_codes)
    channels: dict[str, str] = {}
    warehouses: dict[str, str] = {}
    for name, shop in examination.shops.items():
        if isinstance(shop, BigCommerceSettings):
            channels |= {f"{name} channel {theirs}": str(ours) for theirs, ours in shop.channels.items()}
            warehouses |= {f"{name} warehouse {number}": str(number) for number in shop.warehouses}
    await _simple(examination, "channels", "product-service/channel", "id", channels)
    await _simple(examination, "warehouses", "warehouse-service/warehouse", "id", warehouses)


async def _account(examination: Examination, settings: BrightpearlSettings) -> None:
    answer = await examination.ask("credential", ACCOUNT)
    if answer.status_code == 403:
        # The credential is known, or it would be a 401; the account's configuration is no more than nice to have.
        examination.warn("credential", f"accepted, but {ACCOUNT} is not permitted (403)", "Allow the app to read it.")
    elif answer.status_code == 404:
        examination.fail("credential", f"GET {ACCOUNT}: 404", "Check the account code and the data centre.")
    else:
        facts = read_json(answer)["response"]["configuration"]
        examination.ok(
            "credential",
            f"accepted; base currency {facts.get('baseCurrencyCode')}, time zone {facts.get('timeZone')}",
        )
        _weight_unit(examination, str(facts.get("productWeightUnit") or ""), settings)
    _limit(examination, answer, settings.requests_per_minute)
    if "Date" in answer.headers:
        examination.clock(parsedate_to_datetime(answer.headers["Date"]))


def _weight_unit(examination: Examination, theirs: str, settings: BrightpearlSettings) -> None:
    """In another unit than the account's every weight would be wrong (§10.4)."""
    unit = WEIGHT_UNITS.get(theirs.upper())
    if unit is not None and unit != settings.weight_unit:
        what = f"the account weighs in {unit}, weight_unit says {settings.weight_unit}"
        examination.fail("weight unit", what, f"Set weight_unit to {unit}.")
    elif unit is not None:
        examination.ok("weight unit", f"{unit}, as configured")


def _limit(examination: Examination, answer: httpx.Response, configured: int) -> None:
    """Only what is left of the minute is told (§4.1); it can show that the limit is higher, or shared."""
    left = answer.headers.get("brightpearl-requests-remaining")
    if left is None:
        examination.warn("limit", "the answer names no limit", "Nothing, unless calls are refused as too many.")
    elif int(left) >= configured:
        examination.warn(
            "limit",
            f"{left} requests are left of the minute, more than the {configured} configured",
            "Raise requests_per_minute to what Brightpearl allows this account.",
        )
    elif int(left) < configured * LOW_SHARE:
        examination.warn(
            "limit",
            f"only {left} of {configured} requests are left of this minute",
            "If no sync is running now: another app draws on the same limit. Lower requests_per_minute by its share.",
        )
    else:
        examination.ok("limit", f"{left} of {configured} requests are left of this minute")


async def _entries(examination: Examination, check: str, path: str) -> list[dict[str, Any]] | None:
    body = await examination.read(check, path, permission=f"reading {path}")
    return None if body is None else list(body["response"])


def _words(mapped: Mapping[str, int]) -> dict[str, str]:
    return {word: str(number) for word, number in mapped.items()}


def _name(entry: Mapping[str, Any]) -> str:
    name = entry.get("name", "")
    return str(name.get("text", "")) if isinstance(name, dict) else str(name)


async def _simple(examination: Examination, check: str, path: str, key: str, mapped: Mapping[str, str]) -> None:
    entries = await _entries(examination, check, path)
    if entries is not None:
        known = {str(entry[key]): _name(entry) for entry in entries}
        examination.codes(check, mapped, known, where=check.replace(" ", "_"))


async def _order_statuses(examination: Examination, settings: BrightpearlSettings) -> None:
    """Only those of sales orders will do (§5)."""
    entries = await _entries(examination, "order statuses", "order-service/order-status")
    if entries is not None:
        usable = [entry for entry in entries if entry["orderTypeCode"] == "SO" and not entry.get("disabled")]
        known = {str(entry["statusId"]): _name(entry) for entry in usable}
        mapped = {word.value: str(number) for word, number in settings.order_statuses.items()}
        examination.codes("order statuses", mapped, known, where="order_statuses")
        for number, name in known.items():
            if settings.order_progress and int(number) not in settings.order_progress:
                what = f"order_progress does not map {number} ({name}): a shop's order with it is held"
                examination.warn("order statuses", what, f"Add {number}: and our word for it.")


async def _tax_codes(examination: Examination, settings: BrightpearlSettings) -> None:
    """The code must exist and have the rate that it stands for; `rate` is left out when it is zero (§9.3)."""
    entries = await _entries(examination, "tax codes", "accounting-service/tax-code")
    if entries is None:
        return
    known = {str(entry["code"]): Decimal(str(entry.get("rate", 0))) for entry in entries}
    names = {code: f"{rate.normalize():f} %" for code, rate in known.items()}
    mapped = {f"{rate} %": code for rate, code in settings.tax_codes.items()}
    examination.codes("tax codes", mapped, names, where="tax_codes")
    for rate, code in settings.tax_codes.items():
        if code in known and known[code] != rate:
            what = f"tax_codes maps {rate} % to {code}, whose rate is {known[code].normalize():f} %"
            examination.fail("tax codes", what, "Map the rate to a code that has it.")


async def _price_lists(examination: Examination, settings: BrightpearlSettings) -> None:
    entries = await _entries(examination, "price lists", "product-service/price-list")
    if entries is None:
        return
    selling = {str(entry["id"]): entry for entry in entries if entry.get("priceListTypeCode") != "BUY"}
    known = {number: _name(entry) for number, entry in selling.items()}
    examination.codes("price lists", _words(settings.price_lists), known, where="price_lists")
    for currency, number in settings.price_lists.items():
        theirs = selling.get(str(number), {}).get("currencyCode", currency)
        if theirs != currency:
            what = f"price_lists maps {currency} to list {number}, which is in {theirs}"
            examination.fail("price lists", what, f"Map {currency} to a list in {currency}.")
