"""Sets of input hashes as bytes in one array: 32 bytes for each hash, where a set of Python strings takes over 150."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rag_assets.fingerprints import ID_LENGTH

HASH_BYTES = 32
RAW = np.dtype(f"S{HASH_BYTES}")
Raw = NDArray[np.bytes_]
"""Hashes, one array item each. numpy hides trailing zero bytes of an item, so read them through `hexadecimal`."""
Mask = NDArray[np.bool_]


def raw_hashes(column: pa.Array) -> Raw:
    """A string column of SHA-256 hashes in hexadecimal, as bytes. Raises `ValueError` for anything else."""
    fixed = column.cast(pa.binary()).cast(pa.binary(2 * HASH_BYTES))
    start = fixed.offset * 2 * HASH_BYTES
    text = memoryview(fixed.buffers()[1])[start : start + len(fixed) * 2 * HASH_BYTES] if len(fixed) else b""
    return np.frombuffer(bytes.fromhex(bytes(text).decode("ascii")), RAW)


def raw_of(hashes: Iterable[str]) -> Raw:
    """The same for Python strings."""
    return np.frombuffer(bytes.fromhex("".join(hashes)), RAW)


def hexadecimal(hashes: Raw) -> list[str]:
    """The hashes as they are written everywhere else."""
    text = hashes.tobytes().hex()
    return [text[at : at + 2 * HASH_BYTES] for at in range(0, len(text), 2 * HASH_BYTES)]


class InputSet:
    """Distinct input hashes, sorted. Masks over it tell which of them are stored, wanted or refused."""

    def __init__(self, parts: Iterable[Raw]) -> None:
        self.hashes: Raw = np.unique(np.concatenate([np.empty(0, RAW), *parts]))

    def __len__(self) -> int:
        return len(self.hashes)

    def mask(self, value: bool = False) -> Mask:
        """One value for each hash."""
        return np.full(len(self), value)

    def places(self, hashes: Raw) -> tuple[NDArray[np.intp], Mask]:
        """Where each of `hashes` stands in this set, and whether it does at all."""
        at = np.searchsorted(self.hashes, hashes)
        if not len(self):
            return at, np.zeros(len(hashes), bool)
        at[at == len(self)] = 0
        return at, self.hashes[at] == hashes

    def mark(self, mask: Mask, hashes: Raw) -> None:
        """Sets `mask` where this set has one of `hashes`."""
        at, present = self.places(hashes)
        mask[at[present]] = True

    def among(self, hashes: Raw) -> Mask:
        """Which hashes of this set are among `hashes`."""
        found = self.mask()
        self.mark(found, hashes)
        return found

    def groups(self, mask: Mask, size: int) -> Iterator[list[str]]:
        """The hashes that `mask` marks, as text, in groups."""
        marked = np.flatnonzero(mask)
        for start in range(0, len(marked), size):
            yield hexadecimal(self.hashes[marked[start : start + size]])

    def version(self, mask: Mask, configuration: str) -> str:
        """What `fingerprints.data_version` gives for the pairs (hash, "") of the hashes that `mask` marks."""
        digest = hashlib.sha256(configuration.encode())
        for group in self.groups(mask, 65_536):
            digest.update("".join(f"\0{key}\0" for key in group).encode("ascii"))
        return digest.hexdigest()[:ID_LENGTH]
