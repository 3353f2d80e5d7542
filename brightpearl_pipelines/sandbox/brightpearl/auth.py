"""Who is calling, and how often: app headers, OAuth tokens, the throttle (brightpearl.md §1.2–1.5, §4.1)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from brightpearl_pipelines.sandbox.brightpearl.wire import JsonObject, dumps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator

WINDOW_SECONDS = 60
NOT_AUTHENTICATED = "Not authenticated. You must provide a valid authentication token."
EXPIRED = "Authorization token expired"
STAFF_CONTACT_ID = 4


class UnauthenticatedError(Exception):
    """The text that stands in `response` of a 401."""


@dataclass(frozen=True)
class Caller:
    """An authenticated caller."""

    staff_id: int
    instance_id: int | None = None


class Auth:
    """Checks the header forms and keeps the tokens, in the collection `tokens`."""

    def __init__(self, emulator: BrightpearlEmulator) -> None:
        self.emulator = emulator

    # -- secrets --------------------------------------------------------------------------------------------------

    def new_secret(self) -> str:
        """Base64 with + / =, as the real tokens are, so that clients that forget to encode them are found out."""
        while True:
            secret = base64.b64encode(self.emulator.secrets.randbytes(34)).decode()
            if "+" in secret and "/" in secret:
                return secret

    def first_secrets(self) -> None:
        """What exists when the account is opened: an account token and one OAuth installation."""
        self._token("account", self.new_secret(), {})
        self.issue()

    def _token(self, kind: str, secret: str, facts: JsonObject) -> JsonObject:
        created = self.emulator.clock.now().isoformat()
        return self.emulator.put("tokens", secret, {"kind": kind, "token": secret, "createdOn": created, **facts})

    def newest(self, kind: str) -> JsonObject:
        """The token of a kind that was issued last."""
        tokens = self.emulator.collection("tokens").values()
        return [token for token in tokens if token["kind"] == kind][-1]

    def issue(self, expires_on: datetime | None = None, refresh: str | None = None) -> JsonObject:
        """An access token, with a refresh token unless an old one goes on serving."""
        now = self.emulator.clock.now()
        lifetime = timedelta(seconds=float(self.emulator.settings["access_token_seconds"]))
        expires = expires_on or now + lifetime
        access = self.new_secret()
        self._token("access", access, {"expiresOn": expires.isoformat()})
        if refresh is None:
            refresh = self.new_secret()
            self._token("refresh", refresh, {})
        return {
            "access_token": access,
            "refresh_token": refresh,
            "api_domain": self.emulator.api_domain(),
            "token_type": "Bearer",
            "expires_in": int((expires - now).total_seconds()),
        }

    # -- the API calls --------------------------------------------------------------------------------------------

    def pool(self, headers: Mapping[str, str]) -> str:
        """Private apps of the account share one pool; registered and OAuth apps have one per developer (§4.1)."""
        developer = headers.get("brightpearl-dev-ref")
        registered = developer and ("authorization" in headers or "brightpearl-account-token" in headers)
        return f"developer:{developer}" if registered else "account"

    def authenticate(self, account: str, headers: Mapping[str, str]) -> Caller:
        """Any of the four header forms; raises UnauthenticatedError with the text of §1.5."""
        if account != self.emulator.settings["account"]:
            raise UnauthenticatedError(NOT_AUTHENTICATED)
        if "brightpearl-auth" in headers:  # the oldest form, without an app reference
            return self._with("staff", headers["brightpearl-auth"])
        authorization = headers.get("authorization", "")
        if headers.get("brightpearl-app-ref") != self.emulator.settings["app_ref"]:
            raise UnauthenticatedError(NOT_AUTHENTICATED)
        if authorization.lower().startswith("bearer "):
            return self._bearer(authorization[7:].strip(), headers)
        if "brightpearl-staff-token" in headers:
            return self._with("staff", headers["brightpearl-staff-token"])
        if "brightpearl-account-token" in headers:
            return self._account_token(headers["brightpearl-account-token"], headers)
        raise UnauthenticatedError(NOT_AUTHENTICATED)

    def _with(self, kind: str, secret: str) -> Caller:
        token = self.emulator.collection("tokens").get(secret)
        if token is None or token["kind"] != kind:
            raise UnauthenticatedError(f"Invalid instance token: {secret}")
        return Caller(STAFF_CONTACT_ID)

    def _account_token(self, secret: str, headers: Mapping[str, str]) -> Caller:
        if "brightpearl-dev-ref" in headers:  # an old public app sends the signed form (§1.3)
            signed = {self.signed(token["token"]) for token in self._of_kind("account")}
            if secret in signed:
                return Caller(STAFF_CONTACT_ID)
        return self._with("account", secret)

    def signed(self, account_token: str) -> str:
        """The account token as a registered developer sends it: base64 of its HMAC-SHA256 (§1.3)."""
        key = str(self.emulator.settings["client_secret"]).encode()
        return base64.b64encode(hmac.digest(key, account_token.encode(), hashlib.sha256)).decode()

    def _of_kind(self, kind: str) -> list[JsonObject]:
        return [token for token in self.emulator.collection("tokens").values() if token["kind"] == kind]

    def _bearer(self, secret: str, headers: Mapping[str, str]) -> Caller:
        if headers.get("brightpearl-dev-ref") != self.emulator.settings["dev_ref"]:
            raise UnauthenticatedError(NOT_AUTHENTICATED)
        token = self.emulator.collection("tokens").get(secret)
        if token is None or token["kind"] != "access":
            raise UnauthenticatedError(f"Invalid instance token: {secret}")
        if datetime.fromisoformat(token["expiresOn"]) <= self.emulator.clock.now():
            raise UnauthenticatedError(EXPIRED)
        return Caller(STAFF_CONTACT_ID, int(self.emulator.settings["installation_instance_id"]))

    # -- outside of the API ---------------------------------------------------------------------------------------

    async def authorise(self, request: Request) -> Response:
        """`POST /{account}/authorise`: a staff token for e-mail and password (§1.2)."""
        settings = self.emulator.settings
        try:
            credentials = (await request.json())["apiAccountCredentials"]
            known = (credentials["emailAddress"], credentials["password"])
        except (ValueError, KeyError, TypeError):
            known = ("", "")
        if known != (settings["staff_email"], settings["staff_password"]):
            return _plain({"response": NOT_AUTHENTICATED}, 401)
        token = self.emulator.new_uuid()
        self._token("staff", token, {})
        return _plain({"response": token})

    async def consent(self, request: Request) -> Response:
        """`GET /authorize/{account}`: the consent page, which here agrees at once and redirects with a code (§1.4)."""
        query = request.query_params
        redirect_uri = query.get("redirect_uri", "")
        if query.get("client_id") != self.emulator.settings["app_ref"] or query.get("response_type") != "code":
            return _plain({"error": "invalid_client"}, 400)
        code = self.new_secret()
        self._token("code", code, {"redirectUri": redirect_uri})
        back = urlencode({"code": code, "state": query.get("state", "")})
        return RedirectResponse(f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{back}", 302)

    async def token(self, request: Request) -> Response:
        """`POST /token/{account}` and its aliases, form-encoded (§1.4)."""
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        account = request.path_params.get("account") or form.get("account_code")
        settings = self.emulator.settings
        known = account == settings["account"] and form.get("client_id") == settings["app_ref"]
        secret = form.get("client_secret")
        if (
            not known
            or (secret is None and settings["confidential_app"])
            or secret
            not in (
                None,
                settings["client_secret"],
            )
        ):
            return _plain({"error": "invalid_client"}, 400)
        match form.get("grant_type"):
            case "authorization_code":
                return self._exchange_code(form)
            case "refresh_token":
                return self._refresh(form)
            case _:
                return _plain({"error": "unsupported_grant_type"}, 400)

    def _exchange_code(self, form: Mapping[str, str]) -> Response:
        tokens = self.emulator.collection("tokens")
        token = tokens.get(form.get("code", ""))
        if token is None or token["kind"] != "code":
            return _invalid_grant("The auth token has either expired or does not exist")
        if token["redirectUri"] != form.get("redirect_uri"):
            return _invalid_grant("Redirect uri does not match that used to request auth token")
        del tokens[token["token"]]
        instance_id = str(self.emulator.settings["installation_instance_id"])
        return _plain({**self.issue(), "installation_instance_id": instance_id})

    def _refresh(self, form: Mapping[str, str]) -> Response:
        settings = self.emulator.settings
        tokens = self.emulator.collection("tokens")
        token = tokens.get(form.get("refresh_token", ""))
        if token is None or token["kind"] != "refresh":
            return _invalid_grant("The auth token has either expired or does not exist")
        expires_on = None
        if settings["early_refresh_keeps_expiry"]:
            current = datetime.fromisoformat(self.newest("access")["expiresOn"])
            expires_on = current if current > self.emulator.clock.now() else None
        if not settings["rotate_refresh_tokens"]:
            return _plain(self.issue(expires_on=expires_on, refresh=token["token"]))
        del tokens[token["token"]]
        return _plain(self.issue(expires_on=expires_on))


class Throttle:
    """Fixed windows of 60 s on the server's clock, one count per pool (§4.1)."""

    def __init__(self, emulator: BrightpearlEmulator) -> None:
        self.emulator = emulator
        self._used: dict[str, tuple[int, int]] = {}

    def take(self, pool: str) -> tuple[bool, dict[str, str]]:
        """Count one request; whether it may pass, and the two headers."""
        milliseconds = int(self.emulator.clock.now().timestamp() * 1000)
        window, into = divmod(milliseconds, WINDOW_SECONDS * 1000)
        last, used = self._used.get(pool, (window, 0))
        used = used + 1 if last == window else 1
        self._used[pool] = (window, used)
        limit = int(self.emulator.settings["requests_per_minute"])
        headers = {
            "brightpearl-requests-remaining": str(max(0, limit - used)),
            "brightpearl-next-throttle-period": str(WINDOW_SECONDS * 1000 - into),
        }
        return used <= limit, headers


def _plain(body: JsonObject, status: int = 200) -> Response:
    """Answers of the token and login endpoints: JSON without the API's headers."""
    return Response(dumps(body, escape_html=False), status, media_type="application/json")


def _invalid_grant(description: str) -> Response:
    return _plain({"error": "invalid_grant", "error_description": description}, 400)
