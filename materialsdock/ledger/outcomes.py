"""An outcome as text that the ledger can keep, and the same outcome back: no float changes.

Arrays travel as float64, once each however often they occur, the rest as JSON; both together as one
compressed archive (numpy's .npz without pickle) in base64.  cattrs builds the dataclasses again;
which they are the technique of the row says.
"""

from __future__ import annotations

import base64
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, get_origin

import cattrs
import numpy as np
from cattrs.errors import ForbiddenExtraKeysError

from materialsdock import technique
from materialsdock.errors import LedgerFault, Refused
from materialsdock.ledger.ledger import Ledger, text
from materialsdock.ledger.sample_rows import samples_of_job
from materialsdock.model import Job, Outcome

KEY = "kept"
SEARCH = "search"
MARK = "\0array"  # no key of a setting or a parameter begins with NUL
TREE = "tree"
UNREADABLE = (
    ValueError,
    KeyError,
    TypeError,
    OSError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    ForbiddenExtraKeysError,
)
Value = TypeVar("Value")


def keep_outcome(ledger: Ledger, outcome: Outcome) -> None:
    """Keep what the analysis found, whole: every output can be rebuilt from it."""
    job = outcome.job
    remembered = technique.named(job.sample.technique).analysis().remembered(outcome)
    found = {"technique": job.sample.technique, **packed(outcome)}
    ledger.add_outcome(job.job_id, found | ({SEARCH: remembered} if remembered else {}))


def packed(outcome: Outcome) -> dict[str, str]:
    """Pack what is added to the outcome's row in the ledger, as {"kept": text}.

    The decisions are left out: they have rows of their own.  Raises LedgerFault for values that
    JSON has no form for.
    """
    arrays: dict[str, Any] = {}
    tree = text(_without_arrays(plain_values(replace(outcome, decisions=())), arrays, {}))
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
        return _outcome(_with_arrays(tree, arrays))
    except UNREADABLE as error:
        raise LedgerFault(
            f"the kept outcome cannot be read: {error!r}",
            where=where,
            remedy=again(where),
        ) from error


def again(job_id: str) -> str:
    """Say how to analyse a job once more."""
    return (
        f"analyse it again: `materialsdock measure --resume {job_id}`, or `materialsdock refine` "
        "where a file was refined"
    )


def _onward(ledger: Ledger, job_id: str) -> str:
    """Say how an unfinished job goes on; one of a night's queue must not be resumed beside it."""
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


def _outcome(tree: Mapping[str, Any]) -> Outcome:
    """The outcome of a tree, by the classes of its technique."""
    job = typed(Job, tree["job"])
    parts = technique.named(job.sample.technique).analysis()
    said = dict(tree) if "found" in tree else _of_version_0_1(tree, parts.Found)
    curve = said["curve"]
    return Outcome(
        job,
        (),
        said["summary"],
        typed(parts.Measurement, said["measured"]),
        typed(parts.Found, said["found"]),
        None if curve is None else typed(parts.Measurement, curve),
        said["fused"],
    )


def _of_version_0_1(tree: Mapping[str, Any], found: type) -> dict[str, Any]:
    """A tree of version 0.1, whose outcome had the answers of all techniques side by side."""
    own = {field.name: tree[field.name] for field in fields(found) if field.name in tree}
    hybrid = tree.get("hybrid")
    return {**tree, "found": own, "fused": {} if hybrid is None else {"hybrid": hybrid}}


def plain_values(value: Any) -> Any:
    """`value` with its dataclasses as mappings and its tuples as lists; arrays stay arrays."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain_values(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {key: plain_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_values(item) for item in value]
    return value


def typed(kind: type[Value], plain: Any) -> Value:
    """The dataclass `kind` that `plain_values` took apart, at any later time."""
    return _converter.structure(plain, kind)


def _without_arrays(tree: Any, arrays: dict[str, Any], known: dict[tuple[Any, ...], str]) -> Any:
    """The tree with names in place of its arrays, which go to `arrays`, each once."""
    if isinstance(tree, np.ndarray) and tree.dtype.kind in "biuf":
        key = (tree.dtype.str, tree.shape, tree.tobytes())
        name = known.setdefault(key, f"a{len(known)}")
        arrays[name] = tree
        return {MARK: name}
    if isinstance(tree, dict):
        return {key: _without_arrays(item, arrays, known) for key, item in tree.items()}
    if isinstance(tree, list):
        return [_without_arrays(item, arrays, known) for item in tree]
    return tree


def _with_arrays(tree: Any, arrays: Mapping[str, Any]) -> Any:
    if isinstance(tree, dict):
        if MARK in tree:
            return arrays[tree[MARK]]
        return {key: _with_arrays(item, arrays) for key, item in tree.items()}
    if isinstance(tree, list):
        return [_with_arrays(item, arrays) for item in tree]
    return tree


def _as_it_is(value: Any, _: Any) -> Any:
    return value


def _of_arrays(kind: Any) -> bool:
    origin: Any = get_origin(kind)
    return origin is np.ndarray


def _converter_of_outcomes() -> cattrs.Converter:
    """Numbers and arrays come back as they are: an integer where a float is said stays one."""
    made = cattrs.Converter(detailed_validation=False, forbid_extra_keys=True)
    for kind in (int, float, str, bool):
        made.register_structure_hook(kind, _as_it_is)
    made.register_structure_hook_func(_of_arrays, _as_it_is)
    return made


_converter = _converter_of_outcomes()
