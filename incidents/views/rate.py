"""The rating through a link with a token: three faces, solved or not, a comment.

What must not live here: what a rating leads to (services/verification.py).
"""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from core import ratelimit
from core.errors import Conflict, GeshiError
from grids.access import public
from grids.models import User
from incidents.forms.errors import put_errors
from incidents.forms.public import RatingForm
from incidents.models import CallBack
from incidents.queries import timeline
from incidents.queries.public import callback_by_token, opened_by_another, rating_row
from incidents.services import verification
from incidents.views.keepsake import Keepsake
from incidents.views.progress import RESULTS, photo_links
from incidents.views.report import spaced


@public
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def rate(request: HttpRequest, token: str) -> HttpResponse:
    """Show what was done and take the rating; once given, thank and say what happens."""
    callback = callback_by_token(token)
    if callback is None:
        ratelimit.check("rate", ratelimit.client_ip(request))
        return _over(request, 404)
    if callback.answered_at:
        return _page(request, callback, "rated")
    if opened_by_another(callback):
        return _over(request, 410, str(verification.OPENED_BY_ANOTHER))
    if callback.expires_at <= timezone.now() or callback.round != callback.incident.round:
        return _over(request, 410)
    form = RatingForm(request.POST or None)
    if request.method == "POST":
        return _take(request, callback, form)
    return _page(request, callback, "rate", form)


def reader(request: HttpRequest) -> User | None:
    """Return whoever is signed in in this browser."""
    return request.user if request.user.is_authenticated else None


def _take(request: HttpRequest, callback: CallBack, form: RatingForm) -> HttpResponse:
    status = 400
    if form.is_valid():
        try:
            ratelimit.check("rate", ratelimit.client_ip(request))
            verification.rate(token=callback.token, by=reader(request), **form.cleaned_data)
        except Conflict as error:
            return _over(request, error.status, str(error))
        except GeshiError as error:
            status = error.status
            put_errors(form, error)
        else:
            return redirect("rate", token=callback.token)
    return _page(request, callback, "rate", form, status)


def _page(
    request: HttpRequest,
    callback: CallBack,
    page: str,
    form: RatingForm | None = None,
    status: int = 200,
) -> HttpResponse:
    # Who reported the same sees what they sent themselves, and of the other case what was done
    # by which office, not the words and photos meant for its own reporter.
    own, stranger = callback.twin or callback.incident, callback.twin is not None
    rows = timeline(callback.incident, public=True)
    own_rows = timeline(own, public=True) if stranger else rows
    results = [row for row in rows if row.action in RESULTS]
    context = {
        "callback": callback,
        "incident": own,
        "category": own.category or callback.incident.category,
        "spaced": spaced(own.tracking_code),
        "form": form,
        "stranger": stranger,
        "reported_photos": photo_links(own_rows[0]) if own_rows else [],
        "result": results[-1] if results else None,
        "result_photos": photo_links(results[-1]) if results and not stranger else [],
        "row": rating_row(callback) if page == "rated" else None,
    }
    response = render(request, f"incidents/public/{page}.html", context, status=status)
    return Keepsake.read(request).with_code(own.tracking_code).write(response)


def _over(request: HttpRequest, status: int, said: str = "") -> HttpResponse:
    context = {"said": said or _("This link does not work any more.")}
    return render(request, "incidents/public/rate_over.html", context, status=status)
