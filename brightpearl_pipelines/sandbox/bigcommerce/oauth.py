"""Trading an authorisation code for a token, as on BigCommerce's login host (bigcommerce.md §1.4)."""

from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.wire import JsonObject, json_answer

REQUIRED = ("client_id", "client_secret", "code", "grant_type", "redirect_uri")


class TokenEndpoint:
    """`POST /oauth2/token`, JSON or form. The code is the setting `oauth_code`; tokens do not expire."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    async def endpoint(self, request: Request) -> Response:
        """The token, or 400/401 with the OAuth error's name."""
        given = await self._body(request)
        if given is None or any(not given.get(name) for name in REQUIRED):
            return json_answer({"error": "invalid_request"}, 400)
        settings = self.shop.settings
        if (given["client_id"], given["client_secret"]) != (settings["client_id"], settings["client_secret"]):
            return json_answer({"error": "invalid_client"}, 401)
        if given["grant_type"] != "authorization_code":
            return json_answer({"error": "unsupported_grant_type"}, 400)
        if given["code"] != settings["oauth_code"]:
            return json_answer({"error": "invalid_grant"}, 400)
        return json_answer(self._token(str(given.get("scope") or ""), str(given.get("context") or "")))

    async def _body(self, request: Request) -> JsonObject | None:
        if "json" not in request.headers.get("content-type", ""):
            return dict(parse_qsl((await request.body()).decode()))
        try:
            body = await request.json()
        except ValueError:
            return None
        return body if isinstance(body, dict) else None

    def _token(self, scope: str, context: str) -> JsonObject:
        """A token with the scopes asked for, as far as the app has them; without a context it opens nothing."""
        token = self.shop.rng.randbytes(16).hex()
        allowed = str(self.shop.settings["scope"]).split()
        asked = scope.split()
        granted = [name for name in asked if name in allowed or name.removesuffix("_read_only") in allowed]
        bound = context if context == f"stores/{self.shop.hash}" else ""
        record = {"access_token": token, "scope": " ".join(granted if asked else allowed), "context": bound}
        self.shop.put("tokens", token, {"id": token, "client_id": self.shop.settings["client_id"], **record})
        person = {"id": 1, "username": "sandy", "email": "owner@shop.example"}
        uuid = "00000000-0000-4000-8000-000000000001"
        return {**record, "context": context, "user": person, "owner": person, "account_uuid": uuid}
