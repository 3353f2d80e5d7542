"""Examines a connection's webhook subscriptions, whatever its system. Looks only; `bpp webhooks ensure` mends."""

from brightpearl_pipelines.configuration import Connection
from brightpearl_pipelines.http.errors import ApiError
from brightpearl_pipelines.systems.examination import Examination, UnusableError

REMEDY = "Run `bpp webhooks ensure`. Until then the sweeps find what changed, only later."


async def examine_webhooks(examination: Examination, connection: Connection, public_url: str, secret: str) -> None:
    """Whether each topic has a subscription that calls our receiver and bears our secret. Raises UnusableError."""
    webhooks, topics = connection.system.webhooks, connection.system.topics
    if webhooks is None or not topics:
        return
    try:
        hooks = await webhooks.existing(examination.session)
    except ApiError as error:
        examination.fail("webhooks", str(error), "Give the credential the permission to read its webhooks.")
        raise UnusableError from error
    url = f"{public_url.rstrip('/')}/webhooks/{connection.name}"
    ours = [hook for hook in hooks if hook.url.startswith(url) or webhooks.carries(hook, secret)]
    missing = [topic for topic in topics if topic not in {hook.topic for hook in ours}]
    if missing:
        examination.warn("webhooks", f"there is no subscription for {', '.join(missing)}", REMEDY)
    in_order = 0
    for topic in (each for each in topics if each not in missing):
        least = min((webhooks.mismatches(hook, url, secret) for hook in ours if hook.topic == topic), key=len)
        if least:
            examination.warn("webhooks", f"{topic}: {'; '.join(least)}", REMEDY)
        in_order += not least
    if in_order == len(topics):
        examination.ok("webhooks", f"all {in_order} subscriptions call {url}")
