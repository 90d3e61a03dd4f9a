"""Verbs on accounts and postings.

What must not live here: what a posting opens (queries.Scope).
"""

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.errors import Invalid
from core.services import audit
from grids.models import Posting, Role, User
from grids.models.posting import ROLE_LEVELS
from grids.queries import the_county


def check_posting(posting: Posting, *, actor: User | None) -> None:
    """Refuse a posting that the roster cannot hold; raises Invalid.

    Each role has its level of area. Nobody posts themselves. The rest is the table's own rules.
    """
    if actor and posting.user_id == actor.pk:
        raise Invalid(_("Nobody may give a post to themselves."), field="user")
    levels = ROLE_LEVELS.get(posting.role)
    if levels and posting.area and posting.area.level not in levels:
        raise Invalid(
            _("“%(role)s” cannot be held at “%(area)s”."),
            field="area",
            role=posting.get_role_display(),
            area=posting.area.name,
        )


def create_administrator(
    *, username: str, password: str, display_name: str, actor: User | None
) -> User:
    """Make the first system administrator, posted at the county, able to open /admin/.

    Raises Invalid if there is no county yet, the name is taken, or the password is weak.
    """
    county = the_county()
    if county is None:
        raise Invalid(_("There is no county yet. Import the areas first (import_areas)."))
    user = User(username=username, display_name=display_name, is_staff=True)
    try:
        user.full_clean(exclude=["password"])
        validate_password(password, user)
    except ValidationError as error:
        fields = getattr(error, "error_dict", None)
        messages = error.message_dict if fields else {"password": error.messages}
        raise Invalid(errors=messages) from error
    user.set_password(password)
    with transaction.atomic():
        user.save()
        Posting.objects.create(
            user=user, role=Role.SYSTEM_ADMIN, area=county, valid_from=timezone.localdate()
        )
        audit.record(
            actor=actor,
            action="administrator_created",
            subject_type="user",
            subject_id=user.pk,
            data={"username": username},
        )
    return user
