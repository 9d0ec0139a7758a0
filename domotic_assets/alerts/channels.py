"""How a message leaves: e-mail by SMTP, a webhook, and through apprise whatever else it knows.

What goes wrong is one line without addresses, users, passwords or what a server said: a server may
repeat what it was told.
"""

import logging
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any

from domotic_assets.alerts.messages import Message
from domotic_assets.errors import ConfigurationError, DomoticError
from domotic_assets.registry.channels import AlertChannel, AppriseChannel, EmailChannel, WebhookChannel
from domotic_assets.registry.loading import Sites
from domotic_assets.settings import Settings

TIMEOUT_SECONDS = 15.0
_HEADERS = {"User-Agent": "domotic"}
_TALKATIVE = ("apprise", "urllib3", "requests")
"""Loggers that may write whole addresses, with passwords."""


class ChannelError(DomoticError):
    """A channel did not take a message."""

    retryable = True


def send(channel: AlertChannel, message: Message, sites: Sites, settings: Settings) -> str | None:
    """Send a message; on return the channel has accepted it. Says who was left out, if anybody was.

    Raises ChannelError where it has not, ConfigurationError where something has to be set right first.
    """
    where = f"alert channel {channel.name}"
    try:
        match channel:
            case EmailChannel():
                return _send_email(channel, message, sites, settings)
            case WebhookChannel():
                _post(settings.secret(channel.url_env), channel.url_env, message)
            case AppriseChannel():
                _send_by_apprise(settings.secret(channel.url_env), channel.url_env, message)
        return None
    except ssl.SSLCertVerificationError as error:
        raise ChannelError(
            f"the server's certificate is not trusted ({error.verify_message})",
            where=where,
            expected="a certificate for the host's name, signed by an authority that this machine trusts",
            remedy="name the authority's certificate as ca_file (e-mail), or mend the server's",
        ) from None
    except smtplib.SMTPAuthenticationError as error:
        raise ChannelError(
            f"the server refused the user and password ({error.smtp_code})",
            where=where,
            expected="credentials that may send",
            remedy="check the variables that user_env and password_env name",
        ) from None
    except smtplib.SMTPRecipientsRefused as error:
        codes = sorted({code for code, _ in error.recipients.values()})
        raise ChannelError(
            f"the server refused every recipient ({', '.join(map(str, codes))})",
            where=where,
            expected="recipients that the server delivers to",
            remedy="check recipients",
        ) from None
    except smtplib.SMTPNotSupportedError:
        raise ChannelError(
            "the server offers no encryption, or no login",
            where=where,
            expected="STARTTLS, and a login where user_env is set",
            remedy="check host, port and tls",
        ) from None
    except UnicodeError:
        raise ConfigurationError(
            "an address, user or password holds a character that cannot be sent",
            where=where,
            expected="ASCII, percent-encoded in a web address",
            remedy="set the variables that the channel names anew",
        ) from None
    except (OSError, smtplib.SMTPException) as error:
        raise ChannelError(
            f"not delivered ({_kind_of(error)})",
            where=where,
            expected="a server that takes the message",
            remedy="check host, port, tls and network; it is tried again",
        ) from None
    except (ChannelError, ConfigurationError) as error:
        error.where = f"{where}, {error.where}" if error.where else where
        raise


def _kind_of(error: Exception) -> str:
    """What happened, in words that come from this machine and never from the other side."""
    # The library wraps what the system said, some layers deep.
    while type(error).__module__.startswith(("requests", "urllib3")) and isinstance(
        error.__context__, Exception
    ):
        error = error.__context__
    code = getattr(error, "smtp_code", None)
    return type(error).__name__ + (f" {code}" if code is not None else "")


def _send_email(channel: EmailChannel, message: Message, sites: Sites, settings: Settings) -> str | None:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = message.title, channel.sender, ", ".join(channel.recipients)
    mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain=channel.sender.partition("@")[2])
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    trust = ssl.create_default_context(cafile=_ca_file(channel, sites))
    login = None
    if channel.user_env is not None and channel.password_env is not None:
        login = settings.secret(channel.user_env), settings.secret(channel.password_env)
    with _connected(channel, trust) as server:
        if login is not None:
            server.login(*login)
        left_out = server.send_message(mail)
    return f"refused: {len(left_out)} of {len(channel.recipients)} recipients" if left_out else None


@contextmanager
def _connected(channel: EmailChannel, trust: ssl.SSLContext) -> Iterator[smtplib.SMTP]:
    """An encrypted connection. How it is closed decides nothing: by then the message was taken, or not."""
    server: smtplib.SMTP
    if channel.tls == "implicit":
        server = smtplib.SMTP_SSL(channel.host, channel.port, timeout=TIMEOUT_SECONDS, context=trust)
    else:
        server = smtplib.SMTP(channel.host, channel.port, timeout=TIMEOUT_SECONDS)
    try:
        if channel.tls == "starttls":
            server.starttls(context=trust)
        yield server
        with suppress(OSError, smtplib.SMTPException):
            server.quit()
    finally:
        server.close()


def _ca_file(channel: EmailChannel, sites: Sites) -> str | None:
    if channel.ca_file is None:
        return None
    file = sites.path(channel.ca_file)
    if not file.is_file():
        raise ConfigurationError(
            "no such file", where=str(file), expected="a certificate in PEM form", remedy="check ca_file"
        )
    return str(file)


def _post(url: str, variable: str, message: Message) -> None:
    """POST JSON; `text` is what chat services show. Redirects are not followed: they lead elsewhere."""
    body: dict[str, Any] = {
        "title": message.title,
        "text": f"{message.title}\n{message.text}",
        "started": message.started,
        "ended": message.ended,
    }
    # A fifth of a second of imports that an installation without a webhook does not need.
    import requests

    try:
        with _silenced(), requests.Session() as session:
            # What the environment says of proxies and passwords is not meant for this address.
            session.trust_env = False
            session.verify = _trusted()
            with session.post(
                url, json=body, headers=_HEADERS, timeout=TIMEOUT_SECONDS, allow_redirects=False, stream=True
            ) as answer:
                status = answer.status_code
    except (
        requests.exceptions.InvalidURL,
        requests.exceptions.InvalidSchema,
        requests.exceptions.MissingSchema,
    ):
        raise _no_address(variable, "an address as https://host/path") from None
    if not 200 <= status < 300:
        raise ChannelError(
            f"the server answered {status}",
            expected="an answer from 200 to 299",
            remedy=f"check the address in {variable}, and the server",
        )


def _trusted() -> str | bool:
    """The certificates that this machine trusts; those of the library where it names none."""
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath or True


def _send_by_apprise(url: str, variable: str, message: Message) -> None:
    with _silenced():
        # Half a second of imports that an installation without such a channel does not need.
        import apprise

        service = apprise.Apprise(asset=apprise.AppriseAsset(app_id="domotic", async_mode=False))
        if not service.add(url):
            raise _no_address(variable, "an address of a service as apprise writes it")
        try:
            taken = bool(service.notify(body=message.text, title=message.title))
        except Exception as error:
            # Its many services raise what they like, and may put their address into it.
            raise ChannelError(
                f"the service failed ({type(error).__name__})", remedy=f"check the address in {variable}"
            ) from None
    if not taken:
        raise ChannelError(
            "the service did not take the message",
            expected="an accepted message",
            remedy=f"check the address in {variable} and the network; it is tried again",
        )


def _no_address(variable: str, expected: str) -> ConfigurationError:
    return ConfigurationError(
        "not an address that can be used", where=variable, expected=expected, remedy=f"set {variable} anew"
    )


@contextmanager
def _silenced() -> Iterator[None]:
    """Nothing that these loggers write reaches a handler, at any level."""
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    before = [(logger.propagate, logger.handlers) for logger in loggers]
    for logger in loggers:
        logger.propagate, logger.handlers = False, [logging.NullHandler()]
    try:
        yield
    finally:
        for logger, (propagate, handlers) in zip(loggers, before, strict=True):
            logger.propagate, logger.handlers = propagate, handlers
