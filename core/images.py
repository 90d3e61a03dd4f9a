"""Uploaded pictures, made harmless.

What lives here: the checks, and the hand-over to a child process that does the decoding under
a memory limit (core/image_child.py). What must not: where pictures are kept or who sees them.
"""

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from threading import BoundedSemaphore
from typing import IO, Any

from django.utils.translation import gettext_lazy as _

from core.errors import BadUpload

MEGABYTE = 1024 * 1024
_CHILD = Path(__file__).with_name("image_child.py")
_TIMEOUT_SECONDS = 20
_TWO_AT_ONCE = BoundedSemaphore(2)
_REASONS = {
    "type": _("Only JPEG, PNG and WebP pictures can be uploaded."),
    "pixels": _("The picture has too many pixels. Please send a smaller one."),
    "broken": _("The picture is damaged or incomplete. Please choose another."),
}


@dataclass(frozen=True, slots=True)
class CleanImage:
    """A JPEG made anew: upright, without metadata; sizes in pixels, sha256 in hex."""

    data: bytes
    width: int
    height: int
    sha256: str
    content_type: str = "image/jpeg"


def clean_image(
    file: IO[bytes] | Any,
    *,
    max_bytes: int = 10 * MEGABYTE,
    max_pixels: int = 40_000_000,
    max_side: int = 2048,
) -> CleanImage:
    """Return the picture in ``file`` re-encoded, at most ``max_side`` pixels long.

    The type is told by content, never by name. Raises BadUpload for anything that is not a
    whole JPEG, PNG or WebP within the limits; pixels are refused before they are decoded.
    """
    file.seek(0)
    raw = file.read(max_bytes + 1)
    if len(raw) > max_bytes:
        raise BadUpload(
            _("The picture is larger than %(megabytes)s MB."),
            field="file",
            megabytes=max_bytes // MEGABYTE,
        )
    if not _looks_like_a_picture(raw):
        raise BadUpload(_REASONS["type"], field="file")
    header, data = _decode(raw, max_pixels=max_pixels, max_side=max_side)
    return CleanImage(
        data=data,
        width=header["width"],
        height=header["height"],
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _looks_like_a_picture(raw: bytes) -> bool:
    return raw.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")) or (
        raw[:4] == b"RIFF" and raw[8:12] == b"WEBP"
    )


def _decode(raw: bytes, *, max_pixels: int, max_side: int) -> tuple[dict[str, Any], bytes]:
    # -I keeps this package's directory off the child's path, where it would shadow "logging".
    command = [sys.executable, "-I", str(_CHILD), str(max_pixels), str(max_side)]
    with _TWO_AT_ONCE:
        try:
            child = subprocess.run(  # noqa: S603 - our own interpreter and file
                command, input=raw, capture_output=True, timeout=_TIMEOUT_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise BadUpload(_REASONS["broken"], field="file") from error
    first, _newline, data = child.stdout.partition(b"\n")
    try:
        header = json.loads(first)
    except ValueError:
        header = {"refused": "broken"}
    if child.returncode != 0 or "refused" in header:
        raise BadUpload(_REASONS[header.get("refused", "broken")], field="file")
    return header, data
