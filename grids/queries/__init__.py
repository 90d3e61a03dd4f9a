"""Reads over territory and people, a module for each thing looked at.

What must not live here: anything that changes a row.
"""

from grids.queries.places import (
    NEAREST_GRID_LIMIT,
    Place,
    place_of_area,
    place_of_point,
    places_of_areas,
)
from grids.queries.places_in_text import Candidate, candidates, place_of_text, spoken_names
from grids.queries.scope import COUNTY_WIDE_ROLES, Scope, demo_accounts
from grids.queries.territory import all_codes, heirs_of, names_of, the_county, unsound_shapes

__all__ = [
    "COUNTY_WIDE_ROLES",
    "NEAREST_GRID_LIMIT",
    "Candidate",
    "Place",
    "Scope",
    "all_codes",
    "candidates",
    "demo_accounts",
    "heirs_of",
    "names_of",
    "place_of_area",
    "place_of_point",
    "place_of_text",
    "places_of_areas",
    "spoken_names",
    "the_county",
    "unsound_shapes",
]
