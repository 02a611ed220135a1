"""An outcome as text that the ledger can keep, and the same outcome back: no float changes.

Arrays travel as float64, once each however often they occur, the rest as JSON; both together as one
compressed archive (numpy's .npz without pickle) in base64.  pydantic's TypeAdapter, which reads the
ledger's other rows, has no schema for arrays within plain dataclasses, hence the reader here.
"""

from __future__ import annotations

import base64
import io
import json
import types
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from materialsdock.errors import LedgerFault, Refused
from materialsdock.ledger.ledger import Ledger, text
from materialsdock.ledger.sample_rows import samples_of_job
from materialsdock.outcome import Outcome

KEY = "kept"
MARK = "\0array"  # no key of a setting or a parameter begins with NUL
TREE = "tree"
UNREADABLE = (
    ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile, zlib.error
)  # fmt: skip


def packed(outcome: Outcome) -> dict[str, str]:
    """What to add to the outcome's row in the ledger, as {"kept": text}.

    The decisions are left out: they have rows of their own.  Raises LedgerFault for values that
    JSON has no form for.
    """
    arrays: dict[str, Any] = {}
    tree = text(_plain(replace(outcome, decisions=()), arrays, {}))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{TREE: np.frombuffer(tree.encode(), np.uint8), **arrays})
    return {KEY: base64.b64encode(buffer.getvalue()).decode("ascii")}


def unpacked(row: Mapping[str, Any], where: str) -> Outcome:
    """The outcome that `packed` was given, without its decisions.

    Raises Refused for a row without one, LedgerFault for one that cannot be read.
    """
    if KEY not in row:
        raise Refused(
            "its outcome was kept without curves by an earlier version",
            where=where,
            remedy=again(where),
        )
    try:
        with np.load(io.BytesIO(base64.b64decode(row[KEY], validate=True))) as stored:
            arrays = {name: stored[name] for name in stored.files}
        tree = json.loads(arrays.pop(TREE).tobytes())
        found: Outcome = _typed(Outcome, _with_arrays(tree, arrays))
    except UNREADABLE as error:
        raise LedgerFault(
            f"the kept outcome cannot be read: {error!r}",
            where=where,
            remedy=again(where),
        ) from error
    return found


def again(job_id: str) -> str:
    """How to analyse a job once more."""
    return (
        f"analyse it again: `materialsdock measure --resume {job_id}`, or `materialsdock refine` "
        "where a file was refined"
    )


def _onward(ledger: Ledger, job_id: str) -> str:
    """How an unfinished job goes on; one of a night's queue must not be resumed beside it."""
    samples = samples_of_job(ledger, job_id)
    if not samples:
        return f"go on with `materialsdock measure --resume {job_id}`"
    sample_id, state = samples[0].sample_id, samples[0].state
    if state == "held":
        return f"its sample is held: `materialsdock queue retry {sample_id}` goes on"
    return f"its sample {sample_id} is {state}"


def outcome_of(ledger: Ledger, job_id: str) -> Outcome:
    """The outcome of a job as its analysis gave it, from the ledger alone.

    Raises InputError for an unknown job, Refused for an unfinished one or one of an earlier
    version, LedgerFault where the row cannot be read.
    """
    ledger.job(job_id)
    row = ledger.outcome(job_id)
    if row is None:
        raise Refused(
            "the job is not finished",
            where=job_id,
            remedy=_onward(ledger, job_id),
        )
    return replace(unpacked(row, job_id), decisions=ledger.decisions(job_id))


def _plain(value: Any, arrays: dict[str, Any], known: dict[tuple[Any, ...], str]) -> Any:
    """`value` as lists and mappings; its arrays go to `arrays`, each under one name."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        key = (value.dtype.str, value.shape, value.tobytes())
        name = known.setdefault(key, f"a{len(known)}")
        arrays[name] = value
        return {MARK: name}
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name), arrays, known) for f in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item, arrays, known) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, arrays, known) for item in value]
    return value


def _with_arrays(tree: Any, arrays: Mapping[str, Any]) -> Any:
    if isinstance(tree, dict):
        if MARK in tree:
            return arrays[tree[MARK]]
        return {key: _with_arrays(item, arrays) for key, item in tree.items()}
    if isinstance(tree, list):
        return [_with_arrays(item, arrays) for item in tree]
    return tree


def _typed(hint: Any, value: Any) -> Any:
    """`value` as the type hint says: dataclasses, tuples and mappings of them, None, or as is."""
    if value is None:
        return None
    if is_dataclass(hint) and isinstance(hint, type):
        hints = _hints(hint)
        return hint(**{name: _typed(hints[name], item) for name, item in value.items()})
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _typed(_chosen(inner, value), value)
    if origin is tuple:
        each = inner[:1] * len(value) if inner[-1] is Ellipsis else inner
        return tuple(_typed(h, item) for h, item in zip(each, value, strict=True))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {key: _typed(inner[1], item) for key, item in value.items()}
    return value


def _chosen(hints: tuple[Any, ...], value: Any) -> Any:
    """The member of a union that `value` is: by the names of its fields where there are several."""
    possible = [hint for hint in hints if hint is not type(None)]
    if len(possible) == 1:
        return possible[0]
    named = [h for h in possible if is_dataclass(h) and {f.name for f in fields(h)} == set(value)]
    return named[0] if named else Any


@lru_cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
