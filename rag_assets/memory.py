"""What a process does with memory that it has freed: by default the C library keeps most, and a long ingest grows.

glibc's defaults are made for few threads and many small pieces. LanceDB and Arrow allocate megabytes from many threads;
each thread gets an arena of its own, and what is freed there is not given back. Besides, Lance reads ahead of what it
computes. What the environment says (`MALLOC_*`, `ARROW_DEFAULT_MEMORY_POOL`, `LANCE_*`) stays.
"""

from __future__ import annotations

import functools
import os
from typing import Any

ARENAS = 2
"""With the default, eight for each core, an ingest of 10,000 documents held 400 MB more."""
MAPPED_BYTES = 262_144
"""Pieces from this size on are given back the moment they are freed. Left alone, glibc raises it to 32 MB."""
KEPT_BYTES = 1_048_576
"""What may stay free at the end of the heap."""
READ_AHEAD_BYTES = 67_108_864
"""What Lance reads ahead, 2 GiB by default. With that, the vector index of 200,000 rows of 384 numbers took 306 MB, the
size of all its vectors, and takes 121 MB so, in the same time. Scans with batches of more bytes than this go on too:
tried with Lance 13 on 30,000 rows of 3,072 numbers and long texts, from any offset (lance pull request 7588)."""
# From <malloc.h>: the parameter of mallopt for each variable that sets the same.
_PARAMETERS = {
    "MALLOC_ARENA_MAX": (-8, ARENAS),
    "MALLOC_MMAP_THRESHOLD_": (-3, MAPPED_BYTES),
    "MALLOC_TRIM_THRESHOLD_": (-1, KEPT_BYTES),
}


def keep_little() -> None:
    """For the start of a process, before it has threads and before Arrow is imported; its children follow."""
    os.environ.setdefault("LANCE_DEFAULT_IO_BUFFER_SIZE", str(READ_AHEAD_BYTES))
    library = _glibc()
    if library is None:
        return
    for variable, (parameter, value) in _PARAMETERS.items():
        if variable not in os.environ:
            library.mallopt(parameter, value)
            os.environ[variable] = str(value)
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # its own allocator keeps what it once had


def give_back() -> None:
    """Gives back what is free now, at the end of something that needed much: a few milliseconds."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


@functools.cache
def _glibc() -> Any:
    import ctypes

    try:
        library = ctypes.CDLL(None)
        return library if library.mallopt and library.malloc_trim else None
    except (OSError, AttributeError, TypeError):
        return None
