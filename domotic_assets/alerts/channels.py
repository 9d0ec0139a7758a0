"""Sends messages by e-mail (SMTP), by webhook, and through apprise to any service that it supports.

An error is one line without addresses, users, passwords or the server's own words: a server may repeat what
it was sent.
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
from domotic_assets.escaping import mail_header
from domotic_assets.registry.channels import AlertChannel, AppriseChannel, EmailChannel, WebhookChannel
from domotic_assets.registry.loading import Sites
from domotic_assets.settings import Settings

TIMEOUT_SECONDS = 15.0
_HEADERS = {"User-Agent": "domotic"}
_TALKATIVE = ("apprise", "urllib3", "requests")
"""Loggers that may write whole addresses, including passwords."""


class ChannelError(DomoticError):
    """A channel did not accept a message."""

    retryable = True


def send(channel: AlertChannel, message: Message, sites: Sites, settings: Settings) -> str | None:
    """Send a message; once this returns, the channel has accepted it.

    Returns a line that counts refused recipients; None if there are none. Raises ChannelError if the channel
    did not accept the message, and ConfigurationError if a setting must be corrected first.
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
    """Describe an error by its type and SMTP code, never in words of the other side."""
    # The library wraps the system's error in several layers.
    while type(error).__module__.startswith(("requests", "urllib3")) and isinstance(
        error.__context__, Exception
    ):
        error = error.__context__
    code = getattr(error, "smtp_code", None)
    return type(error).__name__ + (f" {code}" if code is not None else "")


def _send_email(channel: EmailChannel, message: Message, sites: Sites, settings: Settings) -> str | None:
    """Send the message by e-mail; return a line that counts refused recipients, None if there are none.

    Raises ConfigurationError for a missing setting. Errors of the connection and of SMTP are not translated.
    """
    mail = EmailMessage()
    mail["Subject"] = mail_header(message.title)
    mail["From"], mail["To"] = mail_header(channel.sender), ", ".join(map(mail_header, channel.recipients))
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
    """Yield an encrypted connection to the mail server.

    Errors on closing it are ignored: by then the message was accepted or refused.
    """
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
    """Return the path of the channel's certificate file; None if the channel names none.

    Raises ConfigurationError if the file does not exist.
    """
    if channel.ca_file is None:
        return None
    file = sites.path(channel.ca_file)
    if not file.is_file():
        raise ConfigurationError(
            "no such file", where=str(file), expected="a certificate in PEM form", remedy="check ca_file"
        )
    return str(file)


def _post(url: str, variable: str, message: Message) -> None:
    """POST the message as JSON; chat services show its field `text`.

    Redirects are not followed, since they lead to another address.
    """
    body: dict[str, Any] = {
        "title": message.title,
        "text": f"{message.title}\n{message.text}",
        "started": message.started,
        "ended": message.ended,
    }
    # Importing it takes a fifth of a second, which an installation without a webhook need not spend.
    import requests

    try:
        with _silenced(), requests.Session() as session:
            # Proxies and passwords from the environment are not meant for this address.
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
    """Return the certificates that this machine trusts; True, the library's own, if it names none."""
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath or True


def _send_by_apprise(url: str, variable: str, message: Message) -> None:
    """Send the message through apprise to the service at `url`.

    variable: the environment variable that holds `url`, for errors. Raises ConfigurationError if apprise
    cannot read the address, and ChannelError if the service fails or does not accept the message.
    """
    with _silenced():
        # Importing it takes half a second, which an installation without such a channel need not spend.
        import apprise

        service = apprise.Apprise(asset=apprise.AppriseAsset(app_id="domotic", async_mode=False))
        if not service.add(url):
            raise _no_address(variable, "an address of a service as apprise writes it")
        try:
            taken = bool(service.notify(body=message.text, title=message.title))
        except Exception as error:
            # apprise's services raise any error, and may put their address into its text.
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
    """Make the error for an address that cannot be used.

    variable: the environment variable that holds it. expected: the form of a valid address, in words.
    """
    return ConfigurationError(
        "not an address that can be used", where=variable, expected=expected, remedy=f"set {variable} anew"
    )


@contextmanager
def _silenced() -> Iterator[None]:
    """Keep everything that these loggers write, at any level, from every handler."""
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    before = [(logger.propagate, logger.handlers) for logger in loggers]
    for logger in loggers:
        logger.propagate, logger.handlers = False, [logging.NullHandler()]
    try:
        yield
    finally:
        for logger, (propagate, handlers) in zip(loggers, before, strict=True):
            logger.propagate, logger.handlers = propagate, handlers
