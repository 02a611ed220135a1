"""NeXus trees as bytes: the same tree gives the same bytes, for nothing in them holds the time."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np

COMPRESSED = 1000  # elements from which an array is compressed


@dataclass(frozen=True)
class Field:
    """A dataset: number, text, array (n,) of numbers or sequence of texts; and its attributes."""

    value: Any
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Link:
    """A second name of the dataset at an absolute path, as NeXus links: with @target."""

    target: str


@dataclass(frozen=True)
class Group:
    """A group of a NeXus class, what is in it by name, and its attributes besides the class."""

    nx_class: str
    items: Mapping[str, Field | Group | Link]
    attributes: Mapping[str, Any] = field(default_factory=dict)


def with_unit(value: Any, unit: str, **attributes: Any) -> Field:
    """A dataset with its unit."""
    return Field(value, {"units": unit, **attributes})


def data(signal: str, axis: str, fields: Mapping[str, Field | Link], **attributes: Any) -> Group:
    """An NXdata group that plots `signal` over `axis`."""
    return Group("NXdata", fields, {"signal": signal, "axes": [axis], **attributes})


def as_bytes(root: Group) -> bytes:
    """The tree as an HDF5 file."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", track_order=False) as file:
        for name, value in root.attributes.items():
            file.attrs[name] = _text(value)
        _fill(file, root.items)
        _link(file, file, root.items)
    return buffer.getvalue()


def _fill(parent: Any, items: Mapping[str, Field | Group | Link]) -> None:
    for name, item in items.items():
        if isinstance(item, Group):
            made = parent.create_group(name, track_order=False)
            made.attrs["NX_class"] = _text(item.nx_class)
            for key, value in item.attributes.items():
                made.attrs[key] = _text(value)
            _fill(made, item.items)
        elif isinstance(item, Field):
            _dataset(parent, name, item)


def _dataset(parent: Any, name: str, item: Field) -> None:
    value = _text(item.value)
    large = isinstance(value, np.ndarray) and value.size >= COMPRESSED
    how = {"compression": "gzip", "shuffle": True} if large else {}
    made = parent.create_dataset(name, data=value, track_times=False, **how)
    for key, attribute in item.attributes.items():
        made.attrs[key] = _text(attribute)


def _link(file: Any, parent: Any, items: Mapping[str, Field | Group | Link]) -> None:
    for name, item in items.items():
        if isinstance(item, Group):
            _link(file, parent[name], item.items)
        elif isinstance(item, Link):
            parent[name] = file[item.target]
            file[item.target].attrs["target"] = _text(item.target)


def _text(value: Any) -> Any:
    """Text as UTF-8 of fixed length: what varies in length is kept in heaps that hold old bytes."""
    if isinstance(value, str):
        return np.array(value.encode(), dtype=_utf8([value]))
    if isinstance(value, Sequence) and value and all(isinstance(item, str) for item in value):
        return np.array([item.encode() for item in value], dtype=_utf8(value))
    return value


def _utf8(texts: Sequence[str]) -> Any:
    longest = max(1, *(len(item.encode()) for item in texts))
    return h5py.string_dtype("utf-8", longest)
