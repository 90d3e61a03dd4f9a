"""Which static files exist and under which names they are served.

What lives here: the few files taken from node_modules, and hashed names for all. What
must not: the project's own files, which stand in ``static/``. A page that needs one more
vendor file adds its path to ``VENDOR_FILES``.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage, Storage
from whitenoise.storage import CompressedManifestStaticFilesStorage

# Served prefix: (directory in node_modules, files below it).
VENDOR_FILES: dict[str, tuple[str, list[str]]] = {
    "vendor/tabler": ("@tabler/core/dist", ["css/tabler.min.css", "js/tabler.min.js"]),
    "vendor/icons": (
        "@tabler/icons-webfont/dist",
        [
            "tabler-icons.min.css",
            "fonts/tabler-icons.woff2",
            "fonts/tabler-icons.woff",
            "fonts/tabler-icons.ttf",
        ],
    ),
}


class VendorFinder(BaseFinder):
    """Finds exactly the files of ``VENDOR_FILES``; the packages hold 150 MB more."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        root = Path(settings.NODE_MODULES)
        self.storages: dict[str, FileSystemStorage] = {}
        for prefix, (directory, _files) in VENDOR_FILES.items():
            storage = FileSystemStorage(location=root / directory)
            storage.prefix = prefix  # type: ignore[attr-defined]  # read by collectstatic
            self.storages[prefix] = storage

    def find(  # type: ignore[override]  # the stubs know neither [] nor Django's **kwargs
        self, path: str, find_all: bool = False, **kwargs: object
    ) -> list[str] | str:
        """Return the file's path on disk, or an empty list as Django's finders do."""
        for prefix, (_directory, files) in VENDOR_FILES.items():
            name = path.removeprefix(f"{prefix}/")
            if name != path and name in files:
                found = self.storages[prefix].path(name)
                return [found] if find_all else found
        return []

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Storage]]:
        """Yield (name inside the storage, storage) for each file."""
        for prefix, (_directory, files) in VENDOR_FILES.items():
            for name in files:
                yield name, self.storages[prefix]


class HashedStorage(CompressedManifestStaticFilesStorage):
    """Names with a content hash, compressed beside the original; imports between our own
    modules are rewritten too. Comments naming source maps are left alone: no map is served."""

    patterns = (
        # url() and @import of style sheets, without Django's third rule, for source maps.
        ("*.css", CompressedManifestStaticFilesStorage.patterns[0][1][:2]),
        (
            "geshi/*.js",
            CompressedManifestStaticFilesStorage._js_module_import_aggregation_patterns[1],
        ),
    )
