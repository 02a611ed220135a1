"""From an exception of a measurement to the fault that the daemon decides about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from materialsdock.errors import MaterialsDockError
from materialsdock.night.queue.after_fault import fault_class

# by name: ophyd's and pyepics' are not to be imported where there is no instrument
UNREACHABLE = (
    "DisconnectedError",
    "ReadOnlyError",
    "ReadTimeoutError",
    "CASeverityException",
    "WaitTimeoutError",
)


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything it came from, nearest first."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inside = [arg for arg in one.args if isinstance(arg, BaseException)]
        waiting += [e for e in (one.__cause__, *inside, one.__context__) if e is not None]


def fault_of(error: BaseException) -> dict[str, Any]:
    """{class, code, message, where, remedy} of an exception, or of its nearest cause of ours."""
    for one in causes(error):
        if isinstance(one, MaterialsDockError):
            return {"class": fault_class(one.code), **one.as_dict()}
    for one in causes(error):
        if isinstance(one, ConnectionError | TimeoutError) or type(one).__name__ in UNREACHABLE:
            return _fault("unreachable", one, "is the IOC up and the network there?")
    return _fault("error", error, "see the folder logs/; the worker is started again")


def _fault(code: str, error: BaseException, remedy: str) -> dict[str, Any]:
    words = f"{type(error).__name__}: {error}"[:500]
    return {
        "class": fault_class(code),
        "code": code,
        "message": words,
        "where": "",
        "remedy": remedy,
    }
