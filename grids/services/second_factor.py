"""The second factor: an app's code (TOTP), a passkey (WebAuthn), or a recovery code.

What must not live here: counting failures (django-axes, in the view) and the password.
"""

import base64
import hmac
import secrets
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from fido2.rpid import verify_rp_id
from fido2.server import Fido2Server
from fido2.utils import websafe_encode
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    RegistrationResponse,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from core.crypto import blind_index
from core.errors import Invalid
from core.services import audit
from grids.models import Authenticator, Level, RecoveryCode, Role, User
from grids.queries import Scope

REQUIRED = "required"
# Roles that see personal data beyond a village (architecture §2.5, GB/T 22239 8.1.4.1 d).
ROLES = frozenset(
    {
        *(Role.TOWN_ADMIN, Role.DEPARTMENT_HANDLER, Role.COMMAND, Role.COUNTY_LEADER),
        *(Role.SYSTEM_ADMIN, Role.AUDIT_ADMIN, Role.SECURITY_ADMIN),
    }
)
WIDE_LEVELS = frozenset({Level.TOWN, Level.COUNTY})
PERIOD, DIGITS = 30, 6
RECOVERY_CODES = 10
PASSKEYS_AT_MOST = 10
NOT_RIGHT = _("This code is not right, or it was used already.")
PASSKEY_REFUSED = _("The passkey was not accepted.")


def needed(scope: Scope) -> bool:
    """Return whether somebody with these posts must have a second factor."""
    return settings.TWO_FACTOR == REQUIRED and any(
        posting.role in ROLES
        or (posting.role == Role.MEDIATOR and posting.area and posting.area.level in WIDE_LEVELS)
        for posting in scope.postings
    )


def has_one(user: User) -> bool:
    """Return whether the account has a second factor (1 query)."""
    return Authenticator.objects.filter(user=user).exists()


def last_day_without(user: User) -> date:
    """Return the last day before one is asked of ``user``, which begins when first asked for."""
    if user.second_factor_due is None:
        days = timedelta(days=settings.TWO_FACTOR_GRACE_DAYS)
        user.second_factor_due = timezone.localdate() + days - timedelta(days=1)
        user.save(update_fields=["second_factor_due"])
    return user.second_factor_due


# ---------- codes of an app (RFC 6238)


def new_secret() -> str:
    """Return a key of 160 bits in base32, as apps take it."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def app_address(user: User, secret: str) -> str:
    """Return the otpauth: address that apps read from a QR code."""
    issuer = "Geshi"
    return f"otpauth://totp/{issuer}:{quote(user.username)}?secret={secret}&issuer={issuer}"


def _step_of(secret: str, code: str) -> int | None:
    """Return the time step ``code`` stands for: now, one before or one after; else None."""
    digits = code.strip().replace(" ", "")
    if len(digits) != DIGITS or not (digits.isascii() and digits.isdigit()):
        return None
    hotp = HOTP(base64.b32decode(secret), DIGITS, SHA1(), enforce_key_length=False)  # noqa: S303
    now = int(timezone.now().timestamp()) // PERIOD
    for step in (now, now - 1, now + 1):
        if hmac.compare_digest(hotp.generate(step).decode(), digits):
            return step
    return None


def add_app(*, user: User, secret: str, code: str, name: str, ip: str | None) -> list[str]:
    """Make an app the user's second factor; return new recovery codes if it is the first.

    Raises Invalid when the code is not the app's, or there is an app already.
    """
    step = _step_of(secret, code)
    if step is None:
        raise Invalid(NOT_RIGHT, field="code")
    try:
        with transaction.atomic():
            made = Authenticator.objects.create(
                user=user,
                kind=Authenticator.Kind.TOTP,
                name=_name(name, _("Authenticator app")),
                secret=secret,
                last_used=step,
            )
            return _added(made, ip)
    except IntegrityError as error:
        raise Invalid(_("There is an app already. Remove it first."), field="code") from error


def _name(name: str, otherwise: Any) -> str:
    return name.replace("\x00", "").strip()[:50] or str(otherwise)


def _added(made: Authenticator, ip: str | None) -> list[str]:
    audit.record(
        actor=made.user,
        action="account.factor_added",
        subject_type="user",
        subject_id=made.user_id,
        data={"kind": made.kind},
        ip=ip,
    )
    fresh = RecoveryCode.objects.filter(user=made.user, used_at__isnull=True).exists()
    return [] if fresh else new_recovery_codes(user=made.user, ip=ip)


def check_code(*, user: User, code: str) -> bool:
    """Return whether ``code`` is right: of the app, never twice, or a recovery code, once."""
    app = Authenticator.objects.filter(user=user, kind=Authenticator.Kind.TOTP).first()
    step = _step_of(app.secret, code) if app else None
    if app and step is not None:
        # Compare and set: a code seen over the shoulder, or sent twice at once, is taken once.
        unused = Authenticator.objects.filter(pk=app.pk, last_used__lt=step)
        return unused.update(last_used=step, used_at=timezone.now()) == 1
    digest = _digest(user, code)
    left = RecoveryCode.objects.filter(user=user, digest=digest, used_at__isnull=True)
    return left.update(used_at=timezone.now()) == 1


# ---------- recovery codes


def new_recovery_codes(*, user: User, ip: str | None) -> list[str]:
    """Replace the user's recovery codes and return them, the only time they are readable."""
    codes = [f"{secrets.token_hex(4)}-{secrets.token_hex(4)}" for _n in range(RECOVERY_CODES)]
    with transaction.atomic():
        RecoveryCode.objects.filter(user=user).delete()
        RecoveryCode.objects.bulk_create(
            RecoveryCode(user=user, digest=_digest(user, code)) for code in codes
        )
        audit.record(
            actor=user,
            action="account.recovery_codes",
            subject_type="user",
            subject_id=user.pk,
            ip=ip,
        )
    return codes


def _digest(user: User, code: str) -> str:
    # 64 random bits under a key: no slow hash is needed, and equal codes of two people differ.
    typed = code.strip().lower().replace(" ", "").replace("-", "")
    return blind_index(f"recovery:{user.pk}:{typed}")


# ---------- passkeys (WebAuthn)


def _server(origin: str) -> Fido2Server:
    """``origin`` is scheme and host the person sees; a passkey is bound to the host."""
    host = urlsplit(origin).hostname or ""

    def ours(given: str) -> bool:
        return urlsplit(given).hostname == host and verify_rp_id(host, given)

    return Fido2Server(PublicKeyCredentialRpEntity(name="Geshi", id=host), verify_origin=ours)


def _credentials(user: User) -> dict[str, tuple[Authenticator, AttestedCredentialData]]:
    rows = Authenticator.objects.filter(user=user, kind=Authenticator.Kind.PASSKEY)
    return {
        row.credential_id: (row, AttestedCredentialData(base64.b64decode(row.secret)))
        for row in rows
    }


def begin_passkey(*, user: User, origin: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the browser needs to make a passkey, and the state to keep for the answer."""
    held = [credential for _row, credential in _credentials(user).values()]
    if len(held) >= PASSKEYS_AT_MOST:
        raise Invalid(_("There are enough passkeys. Remove one first."))
    options, state = _server(origin).register_begin(
        PublicKeyCredentialUserEntity(
            name=user.username, id=str(user.pk).encode(), display_name=user.display_name
        ),
        held,
        resident_key_requirement=ResidentKeyRequirement.DISCOURAGED,
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    return dict(options), state


def add_passkey(
    *,
    user: User,
    origin: str,
    state: Mapping[str, Any],
    answer: Mapping[str, Any],
    name: str,
    ip: str | None,
) -> list[str]:
    """Keep a passkey the browser made; return new recovery codes if it is the first factor.

    Raises Invalid for an answer that does not fit the state, or a passkey known already.
    """
    try:
        data = _server(origin).register_complete(state, RegistrationResponse.from_dict(answer))
        credential = data.credential_data
    except Exception as error:  # an answer no browser gives makes the library raise anything
        raise Invalid(PASSKEY_REFUSED) from error
    if credential is None:
        raise Invalid(PASSKEY_REFUSED)
    try:
        with transaction.atomic():
            made = Authenticator.objects.create(
                user=user,
                kind=Authenticator.Kind.PASSKEY,
                name=_name(name, _("Passkey")),
                secret=base64.b64encode(bytes(credential)).decode(),
                credential_id=websafe_encode(credential.credential_id),
                last_used=data.counter,
            )
            return _added(made, ip)
    except IntegrityError as error:
        raise Invalid(PASSKEY_REFUSED) from error


def ask_passkey(*, user: User, origin: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return what the browser needs to use a passkey, and the state; None when there is none."""
    held = [credential for _row, credential in _credentials(user).values()]
    if not held:
        return None
    options, state = _server(origin).authenticate_begin(
        held, user_verification=UserVerificationRequirement.PREFERRED
    )
    return dict(options), state


def check_passkey(
    *, user: User, origin: str, state: Mapping[str, Any], answer: Mapping[str, Any]
) -> bool:
    """Return whether the answer is signed by one of the user's passkeys.

    A passkey that counts must count on; one that does not always says 0.
    """
    held = _credentials(user)
    try:
        response = AuthenticationResponse.from_dict(answer)
        credentials = [credential for _row, credential in held.values()]
        used = _server(origin).authenticate_complete(state, credentials, response)
        counter = response.response.authenticator_data.counter
    except Exception:  # an answer no browser gives makes the library raise anything
        return False
    row, _credential = held[websafe_encode(used.credential_id)]
    unused = Authenticator.objects.filter(pk=row.pk)
    unused = unused.filter(last_used__lt=counter) if counter else unused.filter(last_used=0)
    return unused.update(last_used=counter, used_at=timezone.now()) == 1


# ---------- taking away


def remove(*, user: User, authenticator_id: int, ip: str | None) -> bool:
    """Take away one of one's own second factors; with the last one go the recovery codes."""
    with transaction.atomic():
        gone, _rows = Authenticator.objects.filter(user=user, pk=authenticator_id).delete()
        if gone and not has_one(user):
            RecoveryCode.objects.filter(user=user).delete()
        if gone:
            audit.record(
                actor=user,
                action="account.factor_removed",
                subject_type="user",
                subject_id=user.pk,
                ip=ip,
            )
    return bool(gone)
