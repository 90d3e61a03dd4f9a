"""Mail, put together and handed to its server by apprise.

What must not live here: addresses of people in any log or error.
"""

import smtplib

from apprise.common import NotifyFormat
from apprise.exception import AppriseException
from apprise.plugins.email.base import NotifyEmail
from apprise.plugins.email.smtp import AppriseSMTPController

from core.channels import wire
from core.channels.letters import Letter, NotNow, Unavailable, public_key
from core.models import Channel

SECONDS = 10


def send(channel: Channel, letter: Letter) -> None:
    """Hand one mail to the server; raises NotNow or Unavailable."""
    options = channel.options
    host, port = channel.address, int(options.get("port") or 465)
    sender = options.get("sender") or ""
    if not host or not sender:
        raise Unavailable("bad_settings")
    wire.check_host(host, port)
    mails = NotifyEmail.prepare_emails(
        subject=letter.subject,
        body=letter.text,
        from_addr=(options.get("sender_name") or False, sender),
        to=[(False, letter.to)],
        smtp_host=sender.rpartition("@")[2],
        notify_format=NotifyFormat.TEXT,
        headers={"X-Geshi-Key": public_key(letter.key)},
    )
    try:
        with AppriseSMTPController(
            host=host,
            port=port,
            secure_mode=options.get("security") or "ssl",
            user=options.get("user") or None,
            password=channel.secrets.get("key") or None,
            socket_connect_timeout=SECONDS,
        ) as server:
            for mail in mails:
                if not server.sendmail(sender, mail.to_addrs, mail.body):
                    raise NotNow("recipient")
    except smtplib.SMTPAuthenticationError:
        raise Unavailable("login") from None
    except TimeoutError:
        raise Unavailable("no_answer") from None
    except (AppriseException, OSError, smtplib.SMTPException, RuntimeError):
        raise Unavailable("unreachable") from None
