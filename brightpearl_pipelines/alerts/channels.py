"""The ways by which alerts leave: e-mail, a Slack-compatible webhook, the log. Each raises ChannelError alone.

Secrets are read from the environment when something is sent, and appear in no error.
"""

import email.utils
import logging
import os
import smtplib
import ssl
from collections.abc import Sequence
from email.message import EmailMessage

import httpx

from brightpearl_pipelines.alerts.settings import Channel, EmailChannel, LogChannel, SlackChannel
from brightpearl_pipelines.alerts.words import body, cut, details, headline, subject
from brightpearl_pipelines.errors import ConfigurationError
from brightpearl_pipelines.http.client import tls_context
from brightpearl_pipelines.http.redaction import redact
from brightpearl_pipelines.http.transport import require_encryption
from brightpearl_pipelines.store.alerts import Message, Severity, What

TIMEOUT_SECONDS = 10.0
SLACK_LENGTH = 30_000
"""Slack refuses texts beyond 40,000 characters."""
LEVELS = {
    Severity.INFO: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.ERROR: logging.ERROR,
    Severity.CRITICAL: logging.CRITICAL,
}

log = logging.getLogger(__name__)


class ChannelError(Exception):
    """The channel has not taken the message; says why, without secrets and addresses."""


def send(channel: Channel, messages: Sequence[Message]) -> None:
    """Tell all of these at once. Raises ChannelError when it cannot be said that the channel has taken them."""
    match channel:
        case EmailChannel():
            _mail(channel, subject(messages), body(messages), f"{messages[-1].id}.{messages[-1].attempts}")
        case SlackChannel():
            _post(channel, messages)
        case LogChannel():
            for message in messages:
                _log(message)


def missing(channel: Channel) -> list[str]:
    """The environment variables that the channel needs and that are not set."""
    match channel:
        case EmailChannel(password_env=str(name)) | SlackChannel(url_env=name):
            return [] if os.environ.get(name) else [name]
        case _:
            return []


def _secret(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise ChannelError(f"the environment variable {name} is not set; connections.yaml names it for this channel")
    return value


# -- e-mail -----------------------------------------------------------------------------------------------------------


def _mail(channel: EmailChannel, line: str, text: str, name: str) -> None:
    message = EmailMessage()
    message["From"] = channel.sender
    message["To"] = ", ".join(channel.to)
    message["Subject"] = line
    message["Date"] = email.utils.localtime()
    domain = channel.sender.rpartition("@")[2]
    message["Message-ID"] = email.utils.make_msgid(f"alert.{name}", domain)
    # Asks out-of-office robots to keep silent (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text + "\n")
    try:
        with _server(channel) as server:
            if channel.user is not None and channel.password_env is not None:
                server.login(channel.user, _secret(channel.password_env))
            refused = server.send_message(message)
    except (smtplib.SMTPException, OSError) as error:
        raise ChannelError(f"{channel.host}:{channel.port} has not taken the mail: {_told(error)}") from error
    if refused:
        raise ChannelError(f"{channel.host}:{channel.port} refused {len(refused)} of {len(channel.to)} recipients")


def _server(channel: EmailChannel) -> smtplib.SMTP:
    if channel.security == "tls":
        return smtplib.SMTP_SSL(channel.host, channel.port, timeout=TIMEOUT_SECONDS, context=_tls())
    server = smtplib.SMTP(channel.host, channel.port, timeout=TIMEOUT_SECONDS)
    if channel.security == "starttls":
        try:
            # Raises if the server does not offer it: nothing goes out in the clear.
            server.starttls(context=_tls())
            server.ehlo()
        except (smtplib.SMTPException, OSError):
            server.close()
            raise
    return server


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _told(error: smtplib.SMTPException | OSError) -> str:
    match error:
        case smtplib.SMTPRecipientsRefused():
            return "all recipients were refused"
        case smtplib.SMTPResponseException():
            said = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else ""
            return redact(f"{error.smtp_code} {cut(said, 200)}")
        case _:
            return redact(f"{type(error).__name__}: {error}")


# -- Slack ------------------------------------------------------------------------------------------------------------


def _post(channel: SlackChannel, messages: Sequence[Message]) -> None:
    url = _secret(channel.url_env)
    # The address is the secret: no error may hold it, and no log; httpx logs the address of each call of a client.
    try:
        require_encryption(httpx.URL(url), channel.url_env)
        timeout = httpx.Timeout(TIMEOUT_SECONDS).as_dict()
        request = httpx.Request("POST", url, json={"text": slack_text(messages)}, extensions={"timeout": timeout})
        with httpx.HTTPTransport(verify=tls_context()) as transport:
            answer = transport.handle_request(request)
            answer.close()
    except (ConfigurationError, httpx.InvalidURL):
        raise ChannelError(f"{channel.url_env} holds no https address") from None
    except httpx.HTTPError as error:
        raise ChannelError(f"the address in {channel.url_env} does not answer: {type(error).__name__}") from None
    if not answer.is_success:
        raise ChannelError(f"the address in {channel.url_env} answered {answer.status_code}")


def slack_text(messages: Sequence[Message]) -> str:
    """The messages in Slack's own markup: a headline in bold, its details below."""
    blocks = [
        "\n".join([f"*{_escaped(headline(each))}*", *(_escaped(line) for line in details(each))]) for each in messages
    ]
    return cut("\n\n".join(blocks), SLACK_LENGTH)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("*", "∗")


# -- log --------------------------------------------------------------------------------------------------------------


def _log(message: Message) -> None:
    level = logging.INFO if message.what is What.RECOVERED else LEVELS[message.raised.alert.severity]
    log.log(level, "%s | %s", headline(message), " | ".join(details(message)))
