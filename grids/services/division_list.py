"""Reading an official division list: CSV with code,name,level,parent_code.

What lives here: the shape of the file. What must not: the rules of the tree (territory.py).
"""

import csv
import io

from django.utils.translation import gettext as _

from core.errors import Invalid
from core.reading import decode
from grids.models import GridKind, Level
from grids.services.territory import NewArea

COLUMNS = ("code", "name", "level", "parent_code")
# grid_kind and organisation say more about a grid; without them a grid is rural.
EXTRA_COLUMNS = ("grid_kind", "organisation")


def read_areas(data: bytes) -> list[NewArea]:
    """Return the areas of a CSV file, each with its line number.

    Raises Invalid if the file cannot be read at all, with errors {"line": [message]} where a
    line is at fault.
    """
    reader = csv.DictReader(io.StringIO(decode(data), newline=""), strict=True)
    try:
        header = [(name or "").strip().lower() for name in reader.fieldnames or []]
        missing = [name for name in COLUMNS if name not in header]
        if missing:
            raise Invalid(
                _("The first line must name the columns %(columns)s; missing: %(missing)s."),
                columns=",".join(COLUMNS),
                missing=", ".join(missing),
            )
        reader.fieldnames = header
        return _rows(reader)
    except csv.Error as error:
        raise Invalid(
            _("Line %(line)s is not proper CSV (%(why)s)."),
            line=reader.line_num,
            why=str(error),
        ) from error


def _rows(reader: "csv.DictReader[str]") -> list[NewArea]:
    rows: list[NewArea] = []
    errors: dict[str, list[str]] = {}
    for record in reader:
        line = reader.line_num
        if None in record or None in record.values():
            errors[str(line)] = [_("the line has more or fewer fields than the first line")]
            continue
        text = {name: value.strip() for name, value in record.items()}
        if any(text.values()):
            rows.append(_area(text, line))
    if errors:
        raise Invalid(_("Nothing was imported. Please correct these lines:"), errors=errors)
    if not rows:
        raise Invalid(_("The file has no areas."))
    return rows


def _area(text: dict[str, str], line: int) -> NewArea:
    extra = {name: text.get(name, "") for name in EXTRA_COLUMNS}
    is_grid = text["level"] == Level.GRID
    return NewArea(
        code=text["code"],
        name=text["name"],
        level=text["level"],
        parent_code=text["parent_code"],
        grid_kind=extra["grid_kind"] or (GridKind.RURAL.value if is_grid else ""),
        organisation=extra["organisation"],
        line=line,
    )
