"""The schema of the API, and a page that shows it without anything from elsewhere."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.permissions import AllowAny

from grids.access import public


@extend_schema(exclude=True)
class SchemaView(SpectacularAPIView):
    """The OpenAPI document."""

    roles = None
    permission_classes = [AllowAny]
    authentication_classes = []


@public
@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """Show every operation with its parameters and fields."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    operations = [
        _operation(schema, path, method, found)
        for path, methods in schema["paths"].items()
        for method, found in methods.items()
    ]
    return render(request, "governance/api.html", {"operations": operations})


def _operation(schema: Any, path: str, method: str, found: dict[str, Any]) -> dict[str, Any]:
    contents = found.get("requestBody", {}).get("content", {})
    body = _shape(contents)
    return {
        "path": path,
        "method": method.upper(),
        "what": found.get("description", ""),
        "public": {} in found.get("security", [{}]),
        "types": ", ".join(contents),
        "parameters": [
            {
                "name": row["name"],
                "where": row["in"],
                "type": _type(row["schema"]),
                "required": row.get("required", False),
                "help": row.get("description", ""),
            }
            for row in found.get("parameters", [])
        ],
        "fields": _fields(schema, body),
        "answers": [
            {"status": status, "fields": _fields(schema, _answer(answer))}
            for status, answer in found["responses"].items()
            if status < "300"
        ],
        "refusals": [
            {"status": status, "why": answer["description"]}
            for status, answer in found["responses"].items()
            if status >= "300"
        ],
    }


def _answer(answer: dict[str, Any]) -> dict[str, Any]:
    return _shape(answer.get("content", {}))


def _shape(contents: dict[str, Any]) -> dict[str, Any]:
    """Return the shape of the first content type, {} when there is no content."""
    first: dict[str, Any] = next(iter(contents.values()), {})
    shape: dict[str, Any] = first.get("schema", {})
    return shape


def _fields(schema: Any, shape: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the fields of an object, or of the objects in a list."""
    shape = shape.get("items", shape)
    if "$ref" in shape:
        shape = schema["components"]["schemas"][shape["$ref"].rpartition("/")[2]]
    return [
        {
            "name": name,
            "type": _type(part),
            "required": name in shape.get("required", []),
            "help": part.get("description", "").split("\n")[0],
        }
        for name, part in shape.get("properties", {}).items()
    ]


def _type(part: dict[str, Any]) -> str:
    if "enum" in part:
        return " | ".join(str(value) for value in part["enum"])
    for name in ("$ref", "allOf", "oneOf"):
        if name in part:
            inside = part[name] if name == "$ref" else part[name][0].get("$ref", "")
            return inside.rpartition("/")[2]
    if part.get("type") == "array":
        return f"[{_type(part['items'])}]"
    return " ".join(filter(None, [part.get("type", "object"), part.get("format", "")]))
