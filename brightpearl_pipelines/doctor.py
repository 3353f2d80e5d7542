"""Looks at everything that a sync needs, and says what to do about what is wrong. Changes nothing in any system.

What to look at in an account, each system says itself, in `systems/<name>/doctor.py`.
"""

from brightpearl_pipelines.alerts.channels import missing
from brightpearl_pipelines.alerts.settings import Channel
from brightpearl_pipelines.configuration import Configuration, Connection, configuration_path, load_configuration
from brightpearl_pipelines.errors import ConfigurationError
from brightpearl_pipelines.mapping import MappingFileError
from brightpearl_pipelines.store.crypto import Cipher
from brightpearl_pipelines.store.embedded import data_dir, encryption_keys, open_store
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.systems.examination import Examination, Finding, State, UnusableError
from brightpearl_pipelines.webhooks.examine import examine_webhooks
from brightpearl_pipelines.webhooks.shared_secret import shared_secret

__all__ = ["Finding", "State", "examine"]


async def examine(webhook_url: str) -> list[Finding]:
    """All findings: the configuration file, the encryption key, the database, then each connection.

    `webhook_url`: where the systems reach our receiver, without path.
    """
    findings: list[Finding] = []
    configuration = _configuration(findings)
    _key(findings)
    try:
        store = open_store(run="bpp doctor")
    except ConfigurationError as error:
        findings.append(Finding(None, "database", State.FAIL, str(error), "Mend it first; the connections come after."))
        return findings
    with store:
        findings.append(Finding(None, "database", State.OK, "reachable, migrated, readable with this key"))
        if configuration is None:
            return findings
        async with Engine(store, configuration, run=store.run) as engine:
            for connection in configuration.connections.values():
                findings += await _connection(engine, connection, webhook_url)
    return findings


def _configuration(findings: list[Finding]) -> Configuration | None:
    path = configuration_path()
    try:
        configuration = load_configuration(path)
    except (ConfigurationError, MappingFileError) as error:
        findings.append(Finding(None, "configuration", State.FAIL, str(error), f"Correct {path}."))
        return None
    names = ", ".join(configuration.connections)
    findings.append(Finding(None, "configuration", State.OK, f"{path} is complete: {names}"))
    findings += [_channel(name, channel) for name, channel in configuration.alerts.channels.items()]
    return configuration


def _channel(name: str, channel: Channel) -> Finding:
    """Nothing is sent: that does `bpp alerts test`."""
    unset = missing(channel)
    if unset:
        what = f"the channel {name} cannot send: {', '.join(unset)} is not set"
        return Finding(None, "alerts", State.FAIL, what, f"Set {', '.join(unset)}, then try `bpp alerts test`.")
    return Finding(None, "alerts", State.OK, f"the channel {name} has what it needs; `bpp alerts test` tries it")


def _key(findings: list[Finding]) -> None:
    try:
        Cipher(encryption_keys())
    except ConfigurationError as error:
        findings.append(Finding(None, "encryption key", State.FAIL, str(error), "Set BPP_ENCRYPTION_KEY."))
        return
    what = (
        f"usable; keep a copy of it with the backups of the database ({data_dir() / 'encryption.key'} if none is set)"
    )
    findings.append(Finding(None, "encryption key", State.OK, what))


async def _connection(engine: Engine, connection: Connection, webhook_url: str) -> list[Finding]:
    try:
        session = await engine.session(connection.name)
    except ConfigurationError as error:
        return [Finding(connection.name, "credential", State.FAIL, str(error), "Set it, then run this again.")]
    # A connection that was paused for its credential is tried at once: the credential may be a new one.
    session.api.resume()
    shops = {each.name: each.settings for each in engine.configuration.shops_of(connection.name)}
    examination = Examination(session, shops)
    try:
        await connection.system.examine(examination)
        secret = shared_secret(engine.store, connection.name)
        await examine_webhooks(examination, connection, webhook_url, secret)
    except UnusableError:
        return examination.findings
    return examination.findings
