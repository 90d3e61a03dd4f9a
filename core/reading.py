"""Reading text files the way they really come: UTF-8 with or without a mark, or GB 18030."""

from django.utils.translation import gettext as _

from core.errors import Invalid


def decode(data: bytes) -> str:
    """Return the text of a file; raises Invalid with the place if it is neither encoding."""
    if not data.strip():
        raise Invalid(_("The file is empty."))
    if b"\0" in data:
        raise Invalid(
            _("The file is not text: it has a zero byte on line %(line)s."),
            line=data.count(b"\n", 0, data.index(b"\0")) + 1,
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        first_bad = error.start
    try:
        return data.decode("gb18030")
    except UnicodeDecodeError as error:
        raise Invalid(
            _("The file is neither UTF-8 nor GB 18030 text: line %(line)s cannot be read."),
            line=data.count(b"\n", 0, max(first_bad, error.start)) + 1,
        ) from error
