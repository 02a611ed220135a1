"""Logs of the night's processes: one JSON object a line, with ids, rotated, without secrets.

Everything that logs through `logging` comes here, foreign libraries included.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import structlog

from materialsdock.ledger.folder import DataDirectory

LARGEST_BYTES, KEPT = 10_000_000, 9
GONE = "[removed]"
SECRET_KEY = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|credential|authoriz|api_?key|cookie|_url$", re.I
)
# schemes of notification services carry their secrets in the path; elsewhere before the @
SERVICE_URL = re.compile(
    r"\b(?!(?:https?|file|ftp|sqlite|postgresql|tcp)://)[a-z][a-z0-9+.-]*://\S+"
)
USERINFO = re.compile(r"(?<=://)[^\s/@]+@")
WEBHOOK = re.compile(r"(?i)https?://\S*(?:hook|token|key|secret)\S*")
BEARER = re.compile(r"(?i)\b(bearer|basic|apikey)\s+[\w.~+/=-]{8,}")


class Redaction:
    """A processor that takes secrets out of every value, and out of tracebacks.

    secrets : texts that must not appear, e.g. the lines of a file of secrets
    """

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        known = sorted({s.strip() for s in secrets if len(s.strip()) >= 4}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(
        self, logger: Any, method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """The event without secrets."""
        return {str(key): self._clean(str(key), value) for key, value in event.items()}

    def _clean(self, key: str, value: Any) -> Any:
        if SECRET_KEY.search(key):
            return GONE
        if isinstance(value, Mapping):
            return {str(k): self._clean(str(k), v) for k, v in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._clean("", v) for v in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        return self.text(str(value))

    def text(self, words: str) -> str:
        """A text without secrets."""
        if self._known is not None:
            words = self._known.sub(GONE, words)
        for pattern in (WEBHOOK, SERVICE_URL):
            words = pattern.sub(GONE, words)
        return BEARER.sub(GONE, USERINFO.sub(f"{GONE}@", words))


def secrets_in(path: Path | None) -> list[str]:
    """The lines of a file of secrets; none of one that cannot be read, and so cannot leak."""
    if path is None or not os.access(path, os.R_OK):
        return []
    return [line.strip() for line in path.read_text().splitlines() if line.strip()]


def begin(
    data: DataDirectory,
    role: str,
    *,
    secrets: Sequence[str] = (),
    largest_bytes: int = LARGEST_BYTES,
    level: int = logging.INFO,
) -> Path:
    """Send all logging of this process to DATA/logs/ROLE.jsonl, and in plain lines to stderr.

    One process writes one role's file.  The file is rotated at `largest_bytes`, nine are kept.
    """
    folder = data.path / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{role}.jsonl"
    redaction = Redaction(secrets)
    # it opens at the first line, and backslashes keep bytes that are no text
    kept = RotatingFileHandler(
        path,
        maxBytes=largest_bytes,
        backupCount=KEPT,
        encoding="utf-8",
        errors="backslashreplace",
        delay=True,
    )
    kept.setFormatter(_formatter(redaction, role, structlog.processors.JSONRenderer(default=str)))
    plain = logging.StreamHandler(sys.stderr)
    console = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=_as_it_is)
    plain.setFormatter(_formatter(redaction, role, console))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.setLevel(level)
    root.addHandler(kept)
    root.addHandler(plain)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    logging.getLogger(__name__).info("%s begins", role, extra={"pid": os.getpid()})
    return path


def _as_it_is(file: Any, error: Any) -> None:
    structlog.dev.plain_traceback(file, error)


def _formatter(redaction: Redaction, role: str, renderer: Any) -> logging.Formatter:
    def named(
        logger: Any, method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        return {**event, "role": role}

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            named,
            redaction,  # last, so that it sees tracebacks too
            renderer,
        ],
    )


@contextmanager
def about(**ids: Any) -> Iterator[None]:
    """Name the sample, job and step of every line logged in the context, in this thread."""
    with structlog.contextvars.bound_contextvars(**ids):
        yield
