"""What a zip promises to hold, looked at before anything in it is unpacked.

What must not live here: what a particular file should contain, and the words of its refusal.
"""

from collections.abc import Collection
from zipfile import ZipInfo

MEGABYTE = 1024 * 1024
UNPACKED_MEGABYTES = 50
RATIO = 100


def is_bomb(members: Collection[ZipInfo]) -> bool:
    """Return whether a zip's own header promises more than anybody sends in good faith.

    More than 50 MB in all, or more than a hundred bytes for each packed one (ASVS 5.0, 5.2.3). A
    header that promises less than it holds fails later, by its checksum or the reader's limits.
    """
    unpacked = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    return unpacked > UNPACKED_MEGABYTES * MEGABYTE or unpacked > RATIO * max(packed, 1)
