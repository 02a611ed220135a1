"""JSON values as columns: what is alike lies together and packs to a tenth or less.

A value is taken apart by place: all that stands at `documents[].data.i0` of a page is one column.
Whole numbers, the bits of floats and the numbers at the end of texts become arrays of int64, each
kept as it is or as its steps, one plane of bytes after the other, all in one xz stream with its
checksum.  Nothing is rounded: floats (also NaN and -0.0), integers of any size, the order of keys
and every letter come back.
"""

from __future__ import annotations

import json
import lzma
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]
FLOAT, INT, BIG, TEXT, INNER, NONE, FALSE, TRUE, MAPPING, LIST = range(10)
CONSTANTS = {NONE: None, FALSE: False, TRUE: True}
UNREADABLE = (lzma.LZMAError, EOFError, ValueError, KeyError, IndexError, StopIteration)
# 2 MB hold a page of some thousand observations; the memory for packing is 12 times as much
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << 21}]
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
NUMBERED = re.compile(r"(.*?)(0|[1-9][0-9]{0,17})?", re.DOTALL)


def packed(value: Any) -> bytes:
    """Pack a JSON value.  Raises RecursionError for one that is nested hundreds deep."""
    column, writer = _Column(), _Writer()
    column.add(value)
    tree = writer.column(column)
    head = json.dumps({"arrays": writer.forms, "tree": tree}, separators=(",", ":")).encode()
    body = len(head).to_bytes(4, "little") + head + bytes(writer.planes)
    return lzma.compress(body, lzma.FORMAT_XZ, lzma.CHECK_CRC64, filters=FILTERS)


def unpacked(body: bytes, part: str | None = None) -> Any:
    """The value that was packed, or only its part of this name; UNREADABLE where bits fell over."""
    plain = lzma.decompress(body, lzma.FORMAT_XZ)
    end = 4 + int.from_bytes(plain[:4], "little")
    head = json.loads(plain[4:end])
    tree = head["tree"] if part is None else head["tree"]["parts"][part]
    return _Reader(head["arrays"], plain[end:]).values(tree)()


def parsed(text: str) -> dict[str, Any] | None:
    """The mapping that a text is the JSON of, to the letter; None for any other text."""
    try:
        value = json.loads(text)
        return value if isinstance(value, dict) and json.dumps(value) == text else None
    except (ValueError, RecursionError):
        return None


class _Column:
    """All values that stand at one place, in order."""

    def __init__(self) -> None:
        self.kinds = bytearray()
        self.floats: list[float] = []
        self.ints: list[int] = []  # integers, lengths of lists, which keys a mapping has
        self.texts: list[str] = []
        self.keys: dict[tuple[str, ...], int] = {}
        self.parts: dict[str, _Column] = {}
        self.items: _Column | None = None

    def add(self, value: Any) -> None:
        kind = type(value)
        if kind is float:
            self.kinds.append(FLOAT)
            self.floats.append(value)
        elif kind is str:
            self._add_text(value)
        elif kind is int and -(2**63) <= value < 2**63:
            self.kinds.append(INT)
            self.ints.append(value)
        elif kind is int:
            self.kinds.append(BIG)
            self.texts.append(str(value))
        elif kind is dict:
            self.kinds.append(MAPPING)
            self._add_parts(value)
        elif kind is list:
            self._add_items(value)
        else:
            self.kinds.append({None: NONE, False: FALSE, True: TRUE}[value])

    def _add_text(self, value: str) -> None:
        inner = parsed(value) if value.startswith("{") else None
        if inner is None:
            self.kinds.append(TEXT)
            self.texts.append(value)
        else:
            self.kinds.append(INNER)
            self._add_parts(inner)

    def _add_parts(self, value: Mapping[str, Any]) -> None:
        self.ints.append(self.keys.setdefault(tuple(value), len(self.keys)))
        for name, part in value.items():
            if name not in self.parts:
                self.parts[name] = _Column()
            self.parts[name].add(part)

    def _add_items(self, value: list[Any]) -> None:
        self.kinds.append(LIST)
        self.ints.append(len(value))
        self.items = self.items or _Column()
        for item in value:
            self.items.add(item)


class _Writer:
    """Columns as a tree that names arrays by number, and the bytes of the arrays."""

    def __init__(self) -> None:
        self.forms: list[tuple[int, int, int]] = []  # size, bytes of each, whether steps
        self.planes = bytearray()

    def column(self, column: _Column) -> dict[str, Any]:
        tree: dict[str, Any] = {"kinds": self.array(np.frombuffer(column.kinds, np.uint8))}
        if column.floats:
            tree["floats"] = self.array(np.array(column.floats).view(np.int64))
        if column.ints:
            tree["ints"] = self.array(np.array(column.ints, np.int64))
        if column.texts:
            tree |= self._texts(column.texts)
        if column.keys:
            tree["keys"] = list(column.keys)
            tree["parts"] = {name: self.column(part) for name, part in column.parts.items()}
        if column.items is not None:
            tree["items"] = self.column(column.items)
        return tree

    def _texts(self, texts: list[str]) -> dict[str, Any]:
        if all(map(UUID.fullmatch, texts)):
            digits = "".join(texts).replace("-", "")
            return {"uuids": self.array(np.frombuffer(bytes.fromhex(digits), "<i8"))}
        parts = [NUMBERED.fullmatch(text).groups() for text in texts]  # type: ignore[union-attr]
        heads: dict[str, int] = {}
        which = [heads.setdefault(head, len(heads)) for head, _ in parts]
        ends = [-1 if end is None else int(end) for _, end in parts]
        arrays = {"which": np.array(which), "ends": np.array(ends)}
        return {"heads": list(heads), **{name: self.array(a) for name, a in arrays.items()}}

    def array(self, values: NDArray[Any]) -> int | tuple[int, int]:
        """Keep (n,) integers; their number, or how many of what they are where all are alike."""
        values = values.astype(np.int64)
        if values.size and (values == values[0]).all():
            return values.size, int(values[0])
        plain, steps = _planes(values), _planes(np.diff(values, prepend=np.int64(0)))
        as_steps = len(zlib.compress(steps, 1)) < len(zlib.compress(plain, 1))
        chosen = steps if as_steps else plain
        self.planes += chosen
        self.forms.append((values.size, len(chosen) // max(1, values.size), int(as_steps)))
        return len(self.forms) - 1


def _planes(values: Whole) -> bytes:
    """(n,) integers, small ones of either sign in few bytes, all first bytes before all second."""
    folded = ((values << 1) ^ (values >> 63)).view(np.uint64)
    width = (int(folded.max(initial=0)).bit_length() + 7) // 8
    return folded.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :width].T.tobytes()


class _Reader:
    """Values back from the tree of columns; only the arrays that are asked for are read."""

    def __init__(self, forms: list[tuple[int, int, int]], planes: bytes) -> None:
        self._forms, self._planes = forms, planes
        self._starts = np.cumsum([0, *(size * width for size, width, _ in forms)])

    def array(self, number: int | list[int]) -> Whole:
        if isinstance(number, list):
            size, value = number
            return np.full(size, value, np.int64)
        size, width, as_steps = self._forms[number]
        begin = self._starts[number]
        folded = np.zeros((size, 8), np.uint8)
        planes = np.frombuffer(self._planes, np.uint8, size * width, begin)
        folded[:, :width] = planes.reshape(width, size).T
        found = folded.view("<u8")[:, 0].astype(np.uint64)
        values = (found >> np.uint64(1)).view(np.int64) ^ -(found & np.uint64(1)).view(np.int64)
        return np.cumsum(values) if as_steps else values

    def values(self, tree: Mapping[str, Any]) -> Callable[[], Any]:
        """Give the column's values, one at each call."""
        kinds = self.array(tree["kinds"]).tolist()
        next_of = self._by_kind(tree, set(kinds))
        if len(set(kinds)) == 1:
            return next_of[kinds[0]]
        following = iter(kinds).__next__
        return lambda: next_of[following()]()

    def _by_kind(self, tree: Mapping[str, Any], kinds: set[int]) -> dict[int, Callable[[], Any]]:
        found: dict[int, Callable[[], Any]] = {
            kind: lambda value=value: value  # type: ignore[misc]
            for kind, value in CONSTANTS.items()
        }
        if "floats" in tree:
            found[FLOAT] = iter(self.array(tree["floats"]).view(np.float64).tolist()).__next__
        if "ints" in tree:
            found[INT] = iter(self.array(tree["ints"]).tolist()).__next__
        if kinds & {TEXT, BIG}:
            found[TEXT] = iter(self._texts(tree)).__next__
            found[BIG] = lambda: int(found[TEXT]())
        if kinds & {MAPPING, INNER}:
            found[MAPPING] = self._mappings(tree, found[INT])
            found[INNER] = lambda: json.dumps(found[MAPPING]())
        if LIST in kinds:
            item = self.values(tree["items"])
            found[LIST] = lambda: [item() for _ in range(found[INT]())]
        return found

    def _mappings(
        self, tree: Mapping[str, Any], which: Callable[[], int]
    ) -> Callable[[], dict[str, Any]]:
        parts = {name: self.values(part) for name, part in tree["parts"].items()}
        takers = [[(name, parts[name]) for name in names] for names in tree["keys"]]
        return lambda: {name: take() for name, take in takers[which()]}

    def _texts(self, tree: Mapping[str, Any]) -> list[str]:
        if "uuids" in tree:
            digits = self.array(tree["uuids"]).astype("<i8").tobytes().hex()
            return [_dashed(digits[i : i + 32]) for i in range(0, len(digits), 32)]
        heads: list[str] = tree["heads"]
        which, ends = self.array(tree["which"]).tolist(), self.array(tree["ends"]).tolist()
        return [
            heads[head] if end < 0 else f"{heads[head]}{end}"
            for head, end in zip(which, ends, strict=True)
        ]


def _dashed(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
