"""JSON log lines with the request and the case they belong to.

What lives here: the formatter, the filter, and the two context variables.
What must not: personal data, or anything that needs Django to be loaded.
"""

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime

request_id: ContextVar[str] = ContextVar("request_id", default="")
case_code: ContextVar[str] = ContextVar("case_code", default="")


class ContextFilter(logging.Filter):
    """Put the current request id and case code on every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        record.case_code = case_code.get()
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object a line: at (UTC), level, logger, message, request_id, case, error."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": getattr(record, "request_id", ""),
            "case": getattr(record, "case_code", ""),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps({k: v for k, v in line.items() if v}, ensure_ascii=False, default=str)
