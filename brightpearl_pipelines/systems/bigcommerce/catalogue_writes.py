"""Writes to the shop's catalogue (bigcommerce.md §3): products made one a call, changed ten a call, variants fifty.

A batch is refused whole for one bad item, and does not name it (§3.6): it is halved until the bad one stands alone.
Changes are absolute, so that making one twice is making it once; what is made is looked for by its SKU before it is
made again (§8.3).
"""

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any

from brightpearl_pipelines.http.client import read_json
from brightpearl_pipelines.http.errors import AmbiguousError, RefusedError
from brightpearl_pipelines.store.types import Delivery, Json
from brightpearl_pipelines.systems.bigcommerce.catalogue_fields import (
    CUSTOM,
    Values,
    shown_of_product,
    shown_of_variant,
)
from brightpearl_pipelines.systems.bigcommerce.catalogue_prices import contradicted
from brightpearl_pipelines.systems.bigcommerce.catalogue_reference import category_ids, shelves_of, store_facts
from brightpearl_pipelines.systems.bigcommerce.settings import BigCommerceSettings
from brightpearl_pipelines.systems.bigcommerce.streams import client_of
from brightpearl_pipelines.systems.contract import Answer, Outcome, Session, Write
from brightpearl_pipelines.systems.paging import chunks

PRODUCTS_PER_CALL = 10
VARIANTS_PER_CALL = 50
ASSIGNMENTS_PER_CALL = 250
PRODUCTS_PER_READ = 250
STREAM = "products"
Sender = Callable[[Session, Sequence[Delivery]], Awaitable[list[Answer]]]


# -- the shop's words -----------------------------------------------------------------------------------------------


async def fields(session: Session, values: Json) -> dict[str, Any]:
    """The shop's fields of values in common terms; brands that are new are made by the shop itself (§3.3)."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        match name:
            case "price" | "weight":
                found[name] = Decimal(str(value))
            case "visible":
                found["is_visible"] = value
            case "purchasable":
                found["purchasing_disabled"] = not value
            case "brand":
                found |= {"brand_name": value} if value else {"brand_id": 0}
            case "categories":
                found["categories"] = await category_ids(session, value or ())
            case _ if not name.startswith(CUSTOM):
                found[name] = value or ""
    return found


async def _contradiction(session: Session, deliveries: Sequence[Delivery]) -> str | None:
    """Why nothing with a price or a weight in it may go: the store enters them otherwise than the settings say."""
    if not any({"price", "weight"} & _named(each.payload["body"]) for each in deliveries):
        return None
    settings = session.settings
    assert isinstance(settings, BigCommerceSettings)  # noqa: S101 - this writer belongs to this system
    return (await store_facts(session)).contradicts(settings)


def _named(body: Json) -> set[str]:
    parts = [body["values"], body.get("variant") or {}, *(each["values"] for each in body.get("variants") or ())]
    return {name for part in parts if isinstance(part, dict) for name in part}


def _guarded(send: Sender) -> Sender:
    async def guarded(session: Session, deliveries: Sequence[Delivery]) -> list[Answer]:
        wrong = await _contradiction(session, deliveries)
        return [contradicted(each, wrong) for each in deliveries] if wrong else await send(session, deliveries)

    return guarded


# -- changing -------------------------------------------------------------------------------------------------------


async def _halving(
    deliveries: Sequence[Delivery], put: Callable[[Sequence[Delivery]], Awaitable[None]]
) -> list[Answer]:
    """One call for all of them; if it is refused, the bad ones found by halves."""
    try:
        await put(deliveries)
    except AmbiguousError as error:
        return [Answer(each, Outcome.AMBIGUOUS, error=str(error)) for each in deliveries]
    except RefusedError as error:
        if len(deliveries) == 1:
            return [_refused(deliveries[0], error)]
        half = len(deliveries) // 2
        return [*await _halving(deliveries[:half], put), *await _halving(deliveries[half:], put)]
    return [Answer(each, Outcome.CONFIRMED) for each in deliveries]


def _refused(delivery: Delivery, error: RefusedError) -> Answer:
    if error.status == 409:
        todo = "The shop has this name or SKU already: look which product has it, change one of them, retry the letter."
        return Answer(delivery, Outcome.REFUSED, error=str(error), reason="taken_in_the_shop", suggestion=todo)
    return Answer(delivery, Outcome.REFUSED, error=str(error))


async def _update_products(session: Session, deliveries: Sequence[Delivery]) -> list[Answer]:
    bodies = {
        each.key: {"id": each.payload["body"]["product"], **await fields(session, each.payload["body"]["values"])}
        for each in deliveries
    }

    async def put(some: Sequence[Delivery]) -> None:
        rows = [bodies[each.key] for each in some]
        # 207 says that attributes are saved, and stock is not (§3.6): none was sent.
        await client_of(session).api.request("PUT", "v3/catalog/products", json=rows, idempotent=True)

    return await _halving(deliveries, put)


async def _update_variants(session: Session, deliveries: Sequence[Delivery]) -> list[Answer]:
    bodies = {
        each.key: {"id": each.payload["body"]["variant"], **await fields(session, each.payload["body"]["values"])}
        for each in deliveries
    }

    async def put(some: Sequence[Delivery]) -> None:
        rows = [bodies[each.key] for each in some]
        await client_of(session).api.request("PUT", "v3/catalog/variants", json=rows, idempotent=True)

    return await _halving(deliveries, put)


async def _set_custom_fields(session: Session, deliveries: Sequence[Delivery]) -> list[Answer]:
    """One call each, after one to learn the fields' ids: they are changed by id, and made where there are none."""
    client = client_of(session)
    answers = []
    for each in deliveries:
        body = each.payload["body"]
        ((name, value),) = body["values"].items()
        path = f"v3/catalog/products/{body['product']}/custom-fields"
        try:
            known = await client.all(path)
            here = next((row for row in known if row["name"] == name.removeprefix(CUSTOM)), None)
            sent = {"name": name.removeprefix(CUSTOM), "value": value}
            if here is not None and value is None:
                await client.api.request("DELETE", f"{path}/{here['id']}", expected={404}, idempotent=True)
            elif here is not None:
                await client.api.request("PUT", f"{path}/{here['id']}", json=sent, idempotent=True)
            elif value is not None:
                await client.api.request("POST", path, json=sent)
            answers.append(Answer(each, Outcome.CONFIRMED))
        except AmbiguousError as error:
            answers.append(Answer(each, Outcome.AMBIGUOUS, error=str(error)))
        except RefusedError as error:
            answers.append(_refused(each, error))
    return answers


async def _find_changes(session: Session, deliveries: Sequence[Delivery]) -> dict[str, Answer]:
    """Those changes that the shop shows already."""
    rows = await read_products(session, {each.payload["body"]["product"] for each in deliveries})
    found: dict[str, Answer] = {}
    for each in deliveries:
        body = each.payload["body"]
        product = rows.get(body["product"])
        if product is None:
            continue
        variants = product["variants"]
        variant = next((one for one in variants if one["id"] == body.get("variant")), variants[0] if variants else None)
        names_asked = {"brand", "categories"} & body["values"].keys()
        values = shown_of_product(product, await shelves_of(session, product) if names_asked else None)
        if variant is not None:
            values |= shown_of_variant(product, variant)
        if all(values.get(name) == value for name, value in body["values"].items()):
            found[each.key] = Answer(each, Outcome.CONFIRMED)
    return found


async def read_products(session: Session, ids: set[int]) -> dict[int, dict[str, Any]]:
    """Products as they are now, with variants and custom fields: 250 a call."""
    found: dict[int, dict[str, Any]] = {}
    for some in chunks([str(each) for each in sorted(ids)], PRODUCTS_PER_READ):
        params = {"id:in": ",".join(some), "include": "variants,custom_fields"}
        found |= {int(row["id"]): row for row in await client_of(session).all("v3/catalog/products", params)}
    return found


# -- making ---------------------------------------------------------------------------------------------------------


async def _create(session: Session, deliveries: Sequence[Delivery]) -> list[Answer]:
    """One call a product (§3.1), then one for the channels that sell them."""
    answers, assigned = [], list[dict[str, int]]()
    for each in deliveries:
        answer = await _create_one(session, each)
        answers.append(answer)
        if answer.outcome is Outcome.CONFIRMED and answer.read_back is not None:
            channels = each.payload["body"]["channels"]
            assigned += [{"product_id": int(answer.read_back), "channel_id": channel} for channel in channels]
    await _assign(session, assigned)
    return answers


async def _create_one(session: Session, delivery: Delivery) -> Answer:
    body = delivery.payload["body"]
    sent = {**await fields(session, body["values"]), "type": body["type"], "inventory_tracking": body["tracking"]}
    custom = {name.removeprefix(CUSTOM): value for name, value in body["values"].items() if name.startswith(CUSTOM)}
    if custom:
        sent["custom_fields"] = [{"name": name, "value": value} for name, value in custom.items()]
    if body["variants"]:
        first = body["variants"][0]["values"]
        sent |= {"price": Decimal(first["price"]), "weight": Decimal(first["weight"])}
        sent["variants"] = [await _variant(session, each) for each in body["variants"]]
    else:
        sent |= await fields(session, body["variant"])
    try:
        answer = await client_of(session).api.request("POST", "v3/catalog/products", json=sent)
        return await _made(session, delivery, read_json(answer)["data"])
    except AmbiguousError as error:
        return Answer(delivery, Outcome.AMBIGUOUS, error=str(error))
    except RefusedError as error:
        return _refused(delivery, error)


async def _variant(session: Session, variant: Json) -> dict[str, Any]:
    options = [{"option_display_name": name, "label": label} for name, label in variant["options"].items()]
    return {**await fields(session, variant["values"]), "option_values": options}


async def _made(session: Session, delivery: Delivery, product: Json) -> Answer:
    """What was made is called by the ids of product and variant; with options, the latter may take a look."""
    number, variant_id = int(product["id"]), product.get("base_variant_id")
    if variant_id is None:
        seen = product if "variants" in product else (await read_products(session, {number})).get(number)
        variant = next((each for each in (seen or {}).get("variants", ()) if each.get("sku") == _sku(delivery)), None)
        variant_id = variant["id"] if variant else None
    if variant_id is None:
        return Answer(delivery, Outcome.AMBIGUOUS, error=f"product {number} was made and is not to be seen yet")
    return Answer(delivery, Outcome.CONFIRMED, external_id=f"{number}:{variant_id}", read_back=str(number))


def _sku(delivery: Delivery) -> str:
    body = delivery.payload["body"]
    if delivery.kind == "add_variant":
        return str(body["values"]["sku"])
    own: Values = body["variants"][0]["values"] if body["variants"] else body["variant"]
    return str(own["sku"])


async def _assign(session: Session, rows: Sequence[dict[str, int]]) -> None:
    """Let channels sell the products (§3.3); doing it twice is doing it once."""
    for start in range(0, len(rows), ASSIGNMENTS_PER_CALL):
        some = rows[start : start + ASSIGNMENTS_PER_CALL]
        path = "v3/catalog/products/channel-assignments"
        await client_of(session).api.request("PUT", path, json=some, idempotent=True)


async def _add_variants(session: Session, deliveries: Sequence[Delivery]) -> list[Answer]:
    """The option values that are missing first, by name; then the variant, one call each."""
    answers = []
    for each in deliveries:
        body = each.payload["body"]
        try:
            chosen = await _option_values(session, body["product"], body["options"])
            sent = {**await fields(session, body["values"]), "option_values": chosen}
            path = f"v3/catalog/products/{body['product']}/variants"
            answer = read_json(await client_of(session).api.request("POST", path, json=sent))["data"]
            name = f"{body['product']}:{answer['id']}"
            read_back = str(body["product"])
            answers.append(Answer(each, Outcome.CONFIRMED, external_id=name, read_back=read_back))
        except AmbiguousError as error:
            answers.append(Answer(each, Outcome.AMBIGUOUS, error=str(error)))
        except RefusedError as error:
            answers.append(_refused(each, error))
    return answers


async def _option_values(session: Session, product_id: int, wanted: Json) -> list[dict[str, int]]:
    """The ids of options and values (§3.3). Raises RefusedError for an option that the product does not have."""
    client = client_of(session)
    path = f"v3/catalog/products/{product_id}/options"
    options = {str(row["display_name"]).casefold(): row for row in await client.all(path)}
    chosen = []
    for name, label in wanted.items():
        option = options.get(name.casefold())
        if option is None:
            there = ", ".join(row["display_name"] for row in options.values()) or "none"
            raise RefusedError(
                f"product {product_id} has no option {name!r} (it has: {there})",
                connection=session.connection,
                status=409,
            )
        values = option["option_values"]
        value = next((each for each in values if str(each["label"]).casefold() == label.casefold()), None)
        if value is None:
            sent = {"label": label, "sort_order": len(values)}
            answer = await client.api.request("POST", f"{path}/{option['id']}/values", json=sent)
            value = read_json(answer)["data"]
        chosen.append({"id": int(value["id"]), "option_id": int(option["id"])})
    return chosen


async def _find_made(session: Session, deliveries: Sequence[Delivery]) -> dict[str, Answer]:
    """What there is already, by its SKU: one call each (§3.2 knows no filter by several SKUs)."""
    client = client_of(session)
    found: dict[str, Answer] = {}
    assigned = list[dict[str, int]]()
    for each in deliveries:
        sku = _sku(each)
        for row in await client.all("v3/catalog/variants", {"sku": sku}):
            if row.get("sku") != sku:
                continue
            name, product = f"{row['product_id']}:{row['id']}", str(row["product_id"])
            found[each.key] = Answer(each, Outcome.CONFIRMED, external_id=name, read_back=product)
            channels = each.payload["body"].get("channels", ())
            assigned += [{"product_id": row["product_id"], "channel_id": channel} for channel in channels]
    await _assign(session, assigned)
    return found


WRITES = (
    Write("create_product", _guarded(_create), _find_made, batch=50, links=True, reads_back=STREAM),
    Write("add_variant", _guarded(_add_variants), _find_made, batch=50, links=True, reads_back=STREAM),
    Write("update_product", _guarded(_update_products), _find_changes, batch=PRODUCTS_PER_CALL),
    Write("update_variant", _guarded(_update_variants), _find_changes, batch=VARIANTS_PER_CALL),
    Write("set_custom_field", _set_custom_fields, _find_changes, batch=50),
)
