"""The small objects inside an order. Equal ones are one and the same object, so that 100,000 orders fit in memory.

Nothing here can be changed in place: a change puts another part in its stead.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from decimal import Decimal
from functools import lru_cache
from typing import Any, NoReturn

from brightpearl_pipelines.sandbox.brightpearl.countries import country
from brightpearl_pipelines.sandbox.brightpearl.wire import JsonObject, decimals, fixed

PARTY_FIELDS = (
    "addressFullName",
    "companyName",
    "addressLine1",
    "addressLine2",
    "addressLine3",
    "addressLine4",
    "postalCode",
    "telephone",
    "mobileTelephone",
    "fax",
    "email",
)
_SHARED = 200_000
_COUNTRY_KEYS = ("countryIsoCode", "countryIsoCode3", "countryId")


class Part(dict[str, Any]):
    """A shared JSON object: changing it in place would change it in other orders too, so that is refused."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("this part is shared by many orders: put a changed copy in its place")

    __setitem__ = __delitem__ = __ior__ = update = pop = popitem = setdefault = clear = _refuse

    def __deepcopy__(self, memo: dict[int, Any]) -> JsonObject:
        return {name: deepcopy(value, memo) for name, value in self.items()}


@lru_cache(_SHARED)
def money(currency: str, value: str) -> JsonObject:
    return Part(currencyCode=currency, value=value)


@lru_cache(_SHARED)
def quantity(magnitude: Decimal) -> JsonObject:
    return Part(magnitude=fixed(magnitude, 4))


@lru_cache(_SHARED)
def row_value(
    currency: str, tax_code: str, tax_rate: str, tax_class: int, calculator: str, net: str, tax: str
) -> JsonObject:
    return Part(
        taxRate=tax_rate,
        taxCode=tax_code,
        taxCalculator=calculator,
        rowNet=money(currency, net),
        rowTax=money(currency, tax),
        taxClassId=tax_class,
    )


def new_value(currency: str, tax_code: JsonObject, net: Decimal, tax: Decimal) -> JsonObject:
    """`rowValue` of a new row; `tax_code` is an entry of the tax codes."""
    rate = fixed(Decimal(str(tax_code["rate"])), 4)
    return row_value(currency, tax_code["code"], rate, tax_code["id"], "brightpearl", fixed(net, 4), tax_text(tax))


def changed_value(
    value: JsonObject, *, net: Decimal | None = None, tax: Decimal | None = None, tax_code: JsonObject | None = None
) -> JsonObject:
    """A `rowValue` with another net, tax or tax code; both amounts with up to 4 decimals (§5.3)."""
    code = tax_code or {"code": value["taxCode"], "rate": value["taxRate"], "id": value["taxClassId"]}
    return row_value(
        value["rowNet"]["currencyCode"],
        code["code"],
        fixed(Decimal(str(code["rate"])), 4),
        code["id"],
        value["taxCalculator"],
        fixed(net, 4) if net is not None else value["rowNet"]["value"],
        tax_text(tax) if tax is not None else value["rowTax"]["value"],
    )


def tax_text(tax: Decimal) -> str:
    """Two decimals, four where two would lose something."""
    return fixed(tax, 2 if decimals(tax) <= 2 else 4)


@lru_cache(_SHARED)
def composition(bundle_parent: bool, parent_row_id: int) -> JsonObject:
    return Part(bundleParent=bundle_parent, bundleChild=bool(parent_row_id), parentOrderRowId=parent_row_id)


# -- the header ---------------------------------------------------------------------------------------------------

READY = Part(tax="READY")
INVOICED = Part(tax="INVOICED")
NO_TAX_ERRORS = Part(errors=[])
ASSIGNMENT = ("staffOwnerContactId", "projectId", "channelId", "leadSourceId", "teamId")


@lru_cache(_SHARED)
def status(status_id: int, name: str) -> JsonObject:
    return Part(orderStatusId=status_id, name=name)


@lru_cache(_SHARED)
def currency(base: str, code: str, rate: str, fixed_rate: bool) -> JsonObject:
    return Part(accountingCurrencyCode=base, orderCurrencyCode=code, exchangeRate=rate, fixedExchangeRate=fixed_rate)


@lru_cache(_SHARED)
def assignment(*ids: int) -> JsonObject:
    """Ids in the order of `ASSIGNMENT`."""
    return Part(current=Part(zip(ASSIGNMENT, ids, strict=True)))


# -- parties ------------------------------------------------------------------------------------------------------


def party(address: Mapping[str, object], contact_id: int | None = None) -> JsonObject:
    """An address as orders carry it; without a country only `countryId` 0 (§5.1)."""
    land = country(_country_key(address))
    fields = tuple(str(address.get(name) or "") for name in PARTY_FIELDS)
    return _party(fields, land["iso2"] if land else None, contact_id)


@lru_cache(_SHARED)
def _party(fields: tuple[str, ...], iso2: str | None, contact_id: int | None) -> JsonObject:
    whole: JsonObject = {} if contact_id is None else {"contactId": contact_id}
    whole |= zip(PARTY_FIELDS, fields, strict=True)
    land = country(iso2) if iso2 else None
    if land is None:
        return Part(whole, countryId=0)
    names = {"country": land["name"], "countryId": land["countryId"]}
    return Part({**whole, **names}, countryIsoCode=land["iso2"], countryIsoCode3=land["iso3"])


def known_country(address: Mapping[str, object]) -> bool:
    """Whether the country of a sent address exists, if it names one."""
    key = _country_key(address)
    return not key or country(key) is not None


def _country_key(address: Mapping[str, object]) -> object:
    return next((address[name] for name in _COUNTRY_KEYS if address.get(name)), "")


# -- after a restart ----------------------------------------------------------------------------------------------


def share(order: JsonObject) -> None:
    """Put shared parts into an order that was read from disk."""
    for row in order["orderRows"].values():
        value, made_of = row["rowValue"], row["composition"]
        for name in ("itemCost", "productPrice"):
            row[name] = money(row[name]["currencyCode"], row[name]["value"])
        row["quantity"] = quantity(Decimal(row["quantity"]["magnitude"]))
        row["composition"] = composition(made_of["bundleParent"], made_of["parentOrderRowId"])
        row["rowValue"] = row_value(
            value["rowNet"]["currencyCode"],
            value["taxCode"],
            value["taxRate"],
            value["taxClassId"],
            value["taxCalculator"],
            value["rowNet"]["value"],
            value["rowTax"]["value"],
        )
    parties = order["parties"]
    order["parties"] = {role: party(address, address.get("contactId")) for role, address in parties.items()}
    order["assignment"] = assignment(*(order["assignment"]["current"][name] for name in ASSIGNMENT))
