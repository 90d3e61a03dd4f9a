"""Papers being drawn in the background: how far one is, and its file once it is ready.

What must not live here: ordering one (the page it belongs to) and drawing it.
"""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from core.htmx import render
from core.ratelimit import client_ip
from core.services import papers
from core.web import private_pdf
from grids.access import authenticated


@authenticated
@never_cache
@require_safe
def paper(request: HttpRequest, paper_id: UUID) -> HttpResponse:
    """Show how far a paper of one's own is; the page asks again by itself."""
    found = papers.paper_of(paper_id=paper_id, actor=request.user)
    context = {
        "paper": found,
        "percent": 100 * found.done // max(found.total, 1),
        "home": papers.kind_of(found).home,
    }
    return render(request, "grids/paper.html", context, partial="grids/_paper.html")


@authenticated
@never_cache
@require_POST
def paper_file(request: HttpRequest, paper_id: UUID) -> HttpResponse:
    """Hand out the PDF to whoever ordered it; never by a link somebody can be sent to."""
    found, data = papers.fetch(paper_id=paper_id, actor=request.user, ip=client_ip(request))
    return private_pdf(data, f"{found.title}.pdf")
