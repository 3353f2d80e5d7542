"""The vendor's OpenAPI files as judges of what the emulator answers."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx
import yaml
from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from werkzeug.datastructures import Headers, ImmutableMultiDict

from brightpearl_pipelines_tests.shared import shared_folder

FILES = (
    "orders.v2.oas2.yml",
    "orders.v3.yml",
    "inventory.v3.yml",
    "locations.v3.yml",
    "customers.v3.yml",
    "customers.v2.yml",
    "price_lists.v3.yml",
    "currencies.v2.yml",
    "channels.v3.yml",
    "settings.v3.yml",
    "store_information.v2.yml",
    "tax_classes.v2.yml",
    "tax_settings.v3.yml",
    "webhooks.v3.yml",
    "catalog/products_catalog.v3.yml",
    "catalog/product-variants_catalog.v3.yml",
    "catalog/product-variant-options_catalog.v3.yml",
    "catalog/brands_catalog.v3.yml",
)


def version_of(file: str) -> str:
    return "v2" if ".v2." in file else "v3"


@cache
def document(file: str) -> dict[str, Any]:
    text = (shared_folder() / "specs" / "bigcommerce" / file).read_text()
    loaded: dict[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return loaded


@cache
def judge(file: str) -> OpenAPI:
    # Three of the files bend the OpenAPI rules themselves, so the files are taken as they are.
    readers = {"application/problem+json": json.loads}
    return OpenAPI.from_dict(
        document(file), config=Config(spec_validator_cls=None, extra_media_type_deserializers=readers)
    )


def shape(path: str) -> str:
    """A path with its parameters' names left out."""
    return re.sub(r"\{[^}]*\}", "{}", path)


@cache
def described() -> dict[tuple[str, str, str], str]:
    """(version, METHOD, path shape) of everything the files describe, with the file."""
    return {
        (version_of(file), method.upper(), shape(path)): file
        for file in FILES
        for path, operations in document(file)["paths"].items()
        for method in operations
        if method in ("get", "post", "put", "delete")
    }


@dataclass
class _Asked:
    """What openapi-core wants to know of a request."""

    host_url: str
    path: str
    method: str
    parameters: RequestParameters
    content_type: str
    body: bytes | None


@dataclass
class _Answered:
    data: bytes | None
    status_code: int
    content_type: str
    headers: Any


def violations(file: str, response: httpx.Response) -> list[str]:
    """What the file has to say against a call and its answer; the request is judged too."""
    request = response.request
    query = ImmutableMultiDict(list(request.url.params.multi_items()))
    headers = Headers(list(request.headers.items()))
    parameters = RequestParameters(query=query, header=headers)
    asked = _Asked(
        "https://api.bigcommerce.com",
        request.url.path,
        request.method.lower(),
        parameters,
        request.headers.get("content-type", "application/json"),
        request.content or None,
    )
    answered = _Answered(
        response.content or None,
        response.status_code,
        response.headers.get("content-type", "application/json"),
        response.headers,
    )
    found: list[str] = []
    if response.status_code < 400:
        found += _complaints(judge(file).validate_request, asked)
    return found + _complaints(judge(file).validate_response, asked, answered)


def _complaints(check: Callable[..., Any], *exchange: Any) -> list[str]:
    """Every single complaint of a check: where in the body, and what; or the name of the error when it has no place."""
    try:
        check(*exchange)
    except OpenAPIError as error:
        found: list[str] = []
        last: BaseException = error
        cause: BaseException | None = error
        while cause is not None:
            for each in getattr(cause, "schema_errors", ()):
                found += [f"{_place(leaf)}: {leaf.message}" for leaf in _leaves(each)]
            last, cause = cause, cause.__cause__ or cause.__context__
        return found or [f"{type(error).__name__} ({type(last).__name__}: {last})"]
    return []


def _place(error: Any) -> str:
    return ".".join("#" if isinstance(part, int) else part for part in error.absolute_path)


def _leaves(error: Any) -> list[Any]:
    return [leaf for inner in error.context for leaf in _leaves(inner)] or [error]
