"""The shop's emulator under generated calls, right ones and wrong ones, made from the vendor's own OpenAPI files.

No server error, and no answer that the vendor's file would not allow, beyond the false alarms named below. The default
run tries a few calls an operation; the long one many.
"""

import copy
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import requests
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import response_schema_conformance

from brightpearl_pipelines.sandbox.bigcommerce.shop import PARENTS
from brightpearl_pipelines_tests.sandbox.serving import Sandbox, serving
from brightpearl_pipelines_tests.shared import shared_folder

from .shop import draft, small_world
from .test_vendor_specs import served
from .vendor_specs import FILES, shape, version_of

FEW, MANY = 3, 50

INHERITED = (
    r"(sku_id|price|sale_price|retail_price|map_price|weight|width|height|depth|fixed_cost_shipping_price)"
    r": null is not of type \"(number|integer)\""
)
FALSE_ALARMS = (
    # Those that the README beside the files lists: an empty list of hooks (5), and V2's undeclared 204 (4).
    (r"GET v3/hooks 200", r"data: \[\] has less than 1 item"),
    (r".* 204", r".*"),
    # Alternatives that overlap: an empty list of rules, a link that is an object as well.
    (r".*", r".*is valid under more than one of the schemas.*"),
    # One fee where the endpoint answers a list of them.
    (r"GET v2/orders/\{\}/fees 200", r": \[.* is not of type \"object\""),
    # The rule of a price list has a required field that it does not have: `price_list` for `price_list_id`.
    (r"(POST|PUT) v2/customer_groups(/\{\})? 200", r'discount_rules: .*"price_list".* is not valid under any .*'),
    # Batches of metafields that are no batches: the file knows refusals by item alone, the status page an object.
    (r"(POST|PUT|DELETE) v3/(orders|catalog/variants)/metafields 4..", r"errors: \{\} is not of type \"array\""),
    # Of an order's metafield that is not there the file has a list of errors, of other owners' an object.
    (r".* v3/orders/\{\}/metafields/\{\} 404", r"errors: \{\} is not of type \"array\""),
    # A bound of an option's date goes in with a time by the file, and comes out without one.
    (r".* v3/catalog/products.* 200", r"data(\.#)?.*\.config\.date_\w+_value: .* is not a \"date\""),
    # Null, in the fact sheet's words, which quote documentation or recorded answers: no cart (§2.2); all channels (§5);
    # a product with options has no base variant, one without no option set (§3.1); a base variant has no SKU id, and
    # a variant inherits what it does not have (§3.2); what a channel does not override (§4.4).
    (r".* v2/orders(/\{\})? 200", r"(#\.)?cart_id: null is not of type \"string\""),
    (r".* v3/customers 200", r"data\.#\.channel_ids: null is not of type \"array\""),
    (
        r".* v3/catalog/products(/\{\})? 200",
        r"data\.(#\.)?(base_variant_id|option_set_id|variants\.#\.sku_id): null is not of type \"integer\"",
    ),
    (r".* v3/catalog/products(/\{\})?(/variants.*)? 200", rf"data\.(#\.)?(variants\.#\.)?{INHERITED}"),
    (r".* v3/catalog/variants 200", rf"data\.#\.{INHERITED}"),
    (r"(GET|PUT) v3/settings/inventory 200", r"data\.\w+: null is not .*"),
    # No picture, of which nothing says how it looks.
    (r".* v3/catalog/products(/\{\})? 200", r"data\.(#\.)?primary_image: null is not of type \"object\""),
)


def is_false_alarm(call: str, complaint: str) -> bool:
    return any(re.fullmatch(where, call) and re.fullmatch(what, complaint, re.DOTALL) for where, what in FALSE_ALARMS)


def _needs(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(fields), "properties": fields}


def _some(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "maxItems": 3, "items": item}


QUANTITY = {"type": "integer", "minimum": 1, "maximum": 3}
ID = {"type": "integer", "minimum": 1, "maximum": 3}  # `aimed` at what there is
REFUND = _needs(
    items={"enum": [[{"item_type": "PRODUCT", "item_id": place, "quantity": 1}] for place in (1, 2, 3)]},
    payments={"enum": [[{"provider_id": provider, "amount": 1, "offline": True}] for provider in ("custom", "card")]},
    merchant_calculated_override={"enum": [{"total_amount": 1, "total_tax": 0}]},
)
STOCK = _needs(location_id=ID, sku={"enum": ["MUG", "TRAY", "TEE-S", "BOOK"]}, quantity=QUANTITY)
BEYOND = {
    ("/orders", "post"): _needs(
        billing_address={"type": "object"}, products=_some(_needs(product_id=ID, quantity=QUANTITY))
    ),
    ("/orders/{order_id}/shipments", "post"): _needs(
        order_address_id=ID, items=_some(_needs(order_product_id=ID, quantity=QUANTITY))
    ),
    ("/orders/{order_id}/payment_actions/refunds", "post"): REFUND,
    ("/inventory/adjustments/absolute", "put"): _needs(items=_some(STOCK)),
    ("/inventory/adjustments/relative", "post"): _needs(items=_some(STOCK)),
    ("/customer_groups", "post"): _needs(name={"type": "string", "minLength": 1}),
    ("/hooks", "post"): _needs(
        scope={"enum": ["store/order/*", "store/product/updated", "store/sku/*"]},
        destination={"enum": [f"https://hooks.example.com/{place}" for place in "abcdef"]},
    ),
}
"""What is needed by the documentation, but not by the files (the README's 8): few generated calls would have it all."""


class _Plain(yaml.SafeLoader):
    """YAML without dates: JSON has none, and the files' examples are strings."""


_Plain.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def described(file: str) -> dict[str, Any]:
    """A file as the generator takes it: with `BEYOND`, and no bounds that are exclusive of nothing (the README's 6)."""
    document = yaml.load((shared_folder() / "specs" / "bigcommerce" / file).read_text(), Loader=_Plain)
    _mend(document)
    for (path, method), narrower in BEYOND.items():
        if path in document["paths"]:
            content = document["paths"][path][method]["requestBody"]["content"]["application/json"]
            content["schema"] = {"allOf": [content["schema"], narrower]}
    return copy.deepcopy(document)


def _mend(node: Any) -> None:
    if isinstance(node, dict):
        for exclusive, bound in (("exclusiveMaximum", "maximum"), ("exclusiveMinimum", "minimum")):
            if isinstance(node.get(exclusive), bool) and bound not in node:
                del node[exclusive]
        for each in node.values():
            _mend(each)
    elif isinstance(node, list):
        for each in node:
            _mend(each)


@pytest.fixture
def shop() -> Iterator[Sandbox]:
    orders = [draft(), draft(("MUG", 1)), draft(("PDF", 1), ("TRAY", 2))]
    with serving(
        world=small_world(), orders=orders, settings={"bigcommerce": {"requests_per_30_seconds": 0}}
    ) as sandbox:
        yield sandbox


COLLECTIONS = {
    "order_id": ("orders",),
    "order_product_id": ("order_products",),
    "order_address_id": ("order_addresses",),
    "shipping_address_id": ("order_addresses",),
    "shipment_id": ("shipments",),
    "refund_id": ("refunds",),
    "metafield_id": ("order_metafields", "product_metafields", "variant_metafields"),
    "product_id": ("products",),
    "variant_id": ("variants",),
    "option_id": ("options",),
    "brand_id": ("brands",),
    "category_id": ("categories",),
    "location_id": ("locations",),
    "customer_id": ("customers",),
    "customer_group_id": ("customer_groups",),
    "attribute_id": ("attributes",),
    "price_list_id": ("price_lists",),
    "webhook_id": ("hooks",),
    "currency_id": ("currencies",),
    "channel_id": ("channels",),
    "item_id": ("order_products", "order_addresses", "orders"),
    "/orders": ("order_products", "order_addresses"),
    "/orders/{order_id}/shipping_addresses/{id}": ("order_addresses",),
    "/catalog/products": ("products",),
    "/catalog/variants": ("variants",),
    "/catalog/variants/metafields": ("variant_metafields",),
    "/orders/metafields": ("order_metafields",),
    "/customers": ("customers",),
    "/customers/addresses": ("addresses",),
    "/inventory/locations": ("locations",),
}
"""What the files call an id, or the path that calls it just `id`, and where the emulator keeps what it means."""


def known_ids(sandbox: Sandbox, path: str, inside: Mapping[str, Any]) -> dict[str, list[int]]:
    """Ids that exist at present, by the names that the operation on this path has for them.

    Those of lines, variants and the like are of the order, product or customer that the call is `inside`.
    """

    def ids_of(kept: str) -> list[int]:
        parent = inside.get(PARENTS.get(kept, ""))
        rows = list(sandbox.bigcommerce.collections[kept].values())
        return [row["id"] for row in rows if parent is None or row[PARENTS[kept]] == parent]

    ids = {name: [id_ for kept in where for id_ in ids_of(kept)] for name, where in COLLECTIONS.items()}
    return {**ids, "id": ids.get(path) or ids.get(path.split("/{", maxsplit=1)[0], [])}


def aimed(value: Any, ids: Mapping[str, list[int]], name: str = "") -> Any:
    """A generated value with three quarters of its ids such as exist, so that calls come further than a 404."""
    if isinstance(value, dict):
        return {key: aimed(each, ids, key) for key, each in value.items()}
    if isinstance(value, list):
        return [aimed(each, ids, name) for each in value]
    known = ids.get(name)
    return known[value % len(known)] if known and type(value) is int and value % 4 else value


def aim(case: schemathesis.Case, sandbox: Sandbox) -> None:
    """Point path and body at what there is."""
    path, given = case.operation.path, case.path_parameters or {}
    numbers = {name: value if type(value) is int else len(str(value)) for name, value in given.items()}
    owners = {name: value for name, value in numbers.items() if name in PARENTS.values()}
    inside = aimed(owners, known_ids(sandbox, path, {}))
    ids = known_ids(sandbox, path, inside)
    parts = {name: numbers[name] if ids.get(name) and numbers[name] % 4 else value for name, value in given.items()}
    case.path_parameters = {**aimed(parts, ids), **inside}
    case.body = aimed(case.body, ids)


def fuzz(sandbox: Sandbox, file: str, examples: int) -> tuple[int, Counter[str]]:
    """How many calls were made, and what was wrong with the answers, each with how often."""
    version, problems, calls = version_of(file), Counter[str](), 0
    base = f"{sandbox.urls['bigcommerce']}/stores/{sandbox.bigcommerce.hash}/{version}"
    headers = {"X-Auth-Token": sandbox.bigcommerce.settings["access_token"], "Accept": "application/json"}
    here = {key for key in served() if key[0] == version}
    with requests.Session() as session:
        found = [each.ok() for each in schemathesis.openapi.from_dict(described(file)).get_all_operations()]
        # What deletes comes last: it would leave nothing to the others.
        for operation in sorted(found, key=lambda each: each.method.lower() == "delete"):
            if (version, operation.method.upper(), shape(operation.path)) not in here:
                continue
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

                @seed(7)
                @settings(
                    max_examples=examples,
                    database=None,
                    deadline=None,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                )
                @given(operation.as_strategy(generation_mode=mode))
                def call(case: schemathesis.Case) -> None:
                    nonlocal calls
                    aim(case, sandbox)
                    response = case.call(base_url=base, headers=headers, session=session)
                    calls += 1
                    name = f"{case.method} {version}{shape(case.operation.path)} {response.status_code}"
                    problems.update(
                        f"{name}: {complaint}"
                        for complaint in complaints(case, response)
                        if not is_false_alarm(name, complaint)
                    )

                call()
    return calls, problems


def complaints(case: schemathesis.Case, response: Any) -> Iterator[str]:
    if response.status_code >= 500:
        yield f"server error: {response.text[:200]}; {case.as_curl_command()[:400]}"
    try:
        case.validate_response(response, checks=[response_schema_conformance])
    except FailureGroup as group:
        yield from (_words(each) for each in group.exceptions)
    except Failure as failure:
        yield _words(failure)


def _words(failure: Any) -> str:
    """Where in the answer (list places as #), and what is wrong there."""
    place = ".".join("#" if isinstance(part, int) else part for part in getattr(failure, "instance_path", ()))
    what = getattr(failure, "validation_message", None) or getattr(failure, "message", failure)
    return f"{place}: {what}"[:200]


@pytest.mark.parametrize("file", FILES)
def test_generated_calls_meet_no_server_error_and_no_answer_that_the_vendor_would_not_give(shop, file):
    calls, problems = fuzz(shop, file, FEW)
    assert calls > 0
    assert problems == {}


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("file", FILES)
def test_many_generated_calls_meet_no_server_error_and_no_answer_that_the_vendor_would_not_give(shop, file):
    calls, problems = fuzz(shop, file, MANY)
    assert calls > 0
    assert problems == {}
