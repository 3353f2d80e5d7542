"""Keeps webhooks alive while nobody looks: hooks that were switched off, changed or lost come back.

What they did not tell meanwhile is owed a read (`sync.catch_up`).
"""

import os

import httpx

from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.webhooks.serve import HOST, webhook_port
from brightpearl_pipelines.webhooks.subscriptions import SubscriptionReport, ensure_subscriptions

PUBLIC_URL = "BPP_WEBHOOK_URL"
_HEALTH_TIMEOUT_SECONDS = 5.0


def public_url() -> str:
    """Where the systems reach the receiver: BPP_WEBHOOK_URL, or its own address on this machine."""
    return os.environ.get(PUBLIC_URL) or f"http://{HOST}:{webhook_port()}"


async def keep(engine: Engine) -> list[SubscriptionReport] | None:
    """Bring all subscriptions in order; None where webhooks are not used.

    They are, where BPP_WEBHOOK_URL is set or a receiver answers on this machine: hooks that call nobody would only be
    switched off again.
    """
    if not os.environ.get(PUBLIC_URL) and not await _answers(public_url()):
        return None
    return await ensure_subscriptions(engine, public_url())


async def _answers(url: str) -> bool:
    async with httpx.AsyncClient(timeout=_HEALTH_TIMEOUT_SECONDS, trust_env=False) as client:
        try:
            return (await client.get(f"{url}/health")).is_success
        except httpx.HTTPError:
            return False
