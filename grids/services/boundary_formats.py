"""Boundary files as they come: GeoJSON, zipped Shapefile and KML, all made into GeoJSON.

What lives here: telling them apart by content, refusing what would do harm, and handing what
GDAL must read to a child process under a memory limit (boundary_child.py). What must not:
polygons and codes (boundary_file.py).
"""

import io
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from threading import BoundedSemaphore
from typing import Any

from django.utils.translation import gettext_lazy as _

from core.archives import MEGABYTE, UNPACKED_MEGABYTES, is_bomb
from core.errors import BadUpload
from core.reading import decode

FILE_MEGABYTES = 30
MEMBERS_AT_MOST = 200
PARTS = (".shp", ".shx", ".dbf", ".prj")
NEEDED = (".shp", ".shx", ".dbf")
_CHILD = Path(__file__).with_name("boundary_child.py")
_TIMEOUT_SECONDS = 180
_TWO_AT_ONCE = BoundedSemaphore(2)
_REASONS = {
    "broken": _("The file is damaged, or not what its name says."),
    "encoding": _("The file's texts are neither UTF-8 nor GB 18030."),
    "large": _("The file has more than 60,000 features or 2 million positions. Divide it."),
    "projection": _("The positions do not fit the projection that the file declares."),
    "system": _(
        "The file declares the coordinate system “%(name)s”. Only WGS-84 and CGCS2000 can be "
        "read; convert it first."
    ),
}
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")


def as_geojson(data: bytes) -> bytes:
    """Return the file as a GeoJSON FeatureCollection; a GeoJSON file comes back as it is.

    The format is told by content, never by name. Raises BadUpload for anything else, for what
    is larger than ``FILE_MEGABYTES``, and for a datum other than WGS-84 and CGCS2000.
    """
    if len(data) > FILE_MEGABYTES * MEGABYTE:
        raise BadUpload(_("The file is larger than %(megabytes)s MB."), megabytes=FILE_MEGABYTES)
    if data.startswith(b"PK"):
        return _read({f"layer{part}": content for part, content in _parts(data).items()}, ".shp")
    start = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start == b"<":
        return _read({"layer.kml": _kml(data)}, ".kml")
    return data


def _parts(data: bytes) -> dict[str, bytes]:
    """Return the parts of the one layer in a zip by suffix; names inside are never used."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        members = [one for one in archive.infolist() if not one.is_dir()]
        _check_size(members)
        chosen: dict[str, zipfile.ZipInfo] = {}
        for member in members:
            name = PurePosixPath(member.filename.replace("\\", "/"))
            part = name.suffix.lower()
            if part not in PARTS or name.name.startswith(".") or "__MACOSX" in name.parts:
                continue
            if part in chosen:
                raise BadUpload(_("The zip holds more than one layer. Send one at a time."))
            chosen[part] = member
        _check_parts(chosen, members)
        return {part: archive.read(member) for part, member in chosen.items()}
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError) as error:
        raise BadUpload(_("The zip is damaged, or locked with a password.")) from error


def _check_size(members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MEMBERS_AT_MOST:
        raise BadUpload(_("The zip holds more than %(n)s files."), n=MEMBERS_AT_MOST)
    if is_bomb(members):
        raise BadUpload(
            _("The zip would unpack to more than %(megabytes)s MB, or is packed too densely."),
            megabytes=UNPACKED_MEGABYTES,
        )


def _check_parts(chosen: dict[str, zipfile.ZipInfo], members: list[zipfile.ZipInfo]) -> None:
    if ".shp" not in chosen and any(one.filename.lower().endswith(".kml") for one in members):
        raise BadUpload(_("This is a KMZ. Unpack it and send the KML in it."))
    missing = [part for part in NEEDED if part not in chosen]
    if missing:
        raise BadUpload(
            _("The zip is no whole Shapefile: %(parts)s is missing."), parts=", ".join(missing)
        )


def _kml(data: bytes) -> bytes:
    """Return KML as UTF-8 without declarations; entities have no place in it."""
    text = _DECLARATION.sub("", decode(data))
    if "<!" in text and re.search(r"<!(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise BadUpload(_("The KML declares entities or a document type; that is not taken."))
    if "<kml" not in text[:10_000]:
        raise BadUpload(_("This is not KML, GeoJSON or a zipped Shapefile."))
    return text.encode()


def _read(files: dict[str, bytes], suffix: str) -> bytes:
    with TemporaryDirectory(prefix="boundaries-") as directory, _TWO_AT_ONCE:
        for name, content in files.items():
            (Path(directory) / name).write_bytes(content)
        # -I keeps this package's directory off the child's path.
        command = [sys.executable, "-I", str(_CHILD), str(Path(directory) / f"layer{suffix}")]
        try:
            child = subprocess.run(  # noqa: S603 - our own interpreter and file
                command, capture_output=True, timeout=_TIMEOUT_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise BadUpload(_REASONS["large"]) from error
    first, _newline, found = child.stdout.partition(b"\n")
    if child.returncode != 0 or not found:
        _refuse(first)
    return found


def _refuse(line: bytes) -> None:
    try:
        told: dict[str, Any] = json.loads(line)
    except ValueError:
        told = {}
    reason = told.pop("refused", "broken")
    raise BadUpload(_REASONS.get(reason, _REASONS["broken"]), **told)
