"""What every operation of the API may answer when it refuses, added to the schema in one place.

What must not live here: how a refusal is written (governance.api.errors, core.views.errors).
"""

from typing import Any

NAME = "Refusal"
# How the schema calls the key of a connected system; it has quotas.
KEY = "systemKey"
TEXTS = {"type": "array", "items": {"type": "string"}}
REFUSAL = {
    "type": "object",
    "description": "Why something was not done, in words for people, and what is wrong by field.",
    "properties": {
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "errors": {"type": "object", "additionalProperties": TEXTS},
        "request_id": {"type": "string", "description": "Names the request in our logs."},
    },
    "required": ["detail", "code", "errors", "request_id"],
}
WHY = {
    "400": "What was sent cannot be taken.",
    "403": "Not signed in, or without the right.",
    "404": "Not there, or not for this person.",
    "406": "Not to be had in the format asked for.",
    "409": "Somebody else was first, or the state no longer allows it.",
    "413": "Larger than anything taken here.",
    "415": "A format that is not taken here.",
    "429": "Too many attempts; Retry-After says in how many seconds again.",
}


def tell(result: dict[str, Any], **_more: Any) -> dict[str, Any]:
    """Add the refusals to each operation of the schema. A hook of drf-spectacular."""
    result["components"]["schemas"][NAME] = REFUSAL
    for operations in result["paths"].values():
        for operation in operations.values():
            for status in _of(operation):
                operation["responses"].setdefault(status, _response(status))
    return result


def _of(operation: dict[str, Any]) -> list[str]:
    """Return the statuses by which an operation may refuse."""
    statuses = ["406"]
    if operation.get("parameters"):
        statuses += ["400", "404"]
    if {} not in operation.get("security", []):
        statuses.append("403")
    if {KEY: []} in operation.get("security", []):
        statuses.append("429")
    if "requestBody" in operation:
        statuses += ["400", "409", "413", "415", "429"]
    return sorted(set(statuses))


def _response(status: str) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{NAME}"}
    return {"description": WHY[status], "content": {"application/json": {"schema": reference}}}
