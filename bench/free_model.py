"""An embedding model that costs next to nothing, behind the same wire as a paid one.

    python -m bench.free_model          # prints its address and serves until it is stopped

It speaks `POST /v1/embeddings` on loopback, so that a project which names it goes the product's whole way: client,
transport, batches, checks of vectors, ledger. A vector is the SHAKE-128 of its text, byte by byte: equal texts have
equal vectors, and a thousand take some 30 ms of one core. `GET /counts` tells what was asked of it so far.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import numpy as np

DIMENSION = 384
MODEL = "all-MiniLM-L6-v2"
"""Its name: the tokenizer, the sizes and the dimension of the default model go with it."""


def vectors(texts: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """float32 [len(texts), 384], each row a function of its text alone; not of unit length."""
    digests = b"".join(hashlib.shake_128(text.encode()).digest(DIMENSION) for text in texts)
    return np.frombuffer(digests, np.int8).reshape(len(texts), DIMENSION).astype(np.float32) + np.float32(0.5)


@dataclass(frozen=True)
class FreeModel:
    """A running one. `base_url` is what `models.providers.*.base_url` wants."""

    base_url: str

    def counts(self) -> dict[str, Any]:
        """`requests` answered, `texts` embedded and `busy_seconds` since it started.

        It was busy while at least one request was being answered: that is the most that waiting for it can have taken.
        """
        with urllib.request.urlopen(self.base_url.removesuffix("/v1") + "/counts") as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    @property
    def settings(self) -> str:
        """The part of `rag_assets.yaml` that embeds with it."""
        return (
            f"models:\n  providers:\n    free:\n      base_url: {self.base_url}\n      api_key_env: null\n"
            f"  embedding:\n    provider: free\n    model: {MODEL}\n"
        )


@contextmanager
def free_model() -> Iterator[FreeModel]:
    """Runs it in a process of its own, whose time and memory are not those of what is measured.

    It ends with its standard input, so also when this process is killed.
    """
    command = [sys.executable, "-m", "bench.free_model", "--until-input-ends"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield FreeModel(process.stdout.readline().strip())
        finally:
            process.terminate()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet: two would wait for each other (Nagle and the delayed ACK)
    disable_nagle_algorithm = True
    counts: ClassVar[dict[str, Any]] = {"requests": 0, "texts": 0, "busy_seconds": 0.0}
    under_way: ClassVar[int] = 0
    busy_since: ClassVar[float] = 0.0
    lock: ClassVar[threading.Lock] = threading.Lock()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's name)
        """Says nothing."""

    def do_GET(self) -> None:
        self._send(self.counts)

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["content-length"]))
        with self.lock:
            if not self.under_way:
                type(self).busy_since = time.perf_counter()
            type(self).under_way += 1
        self._embed(json.loads(data))

    def _embed(self, body: dict[str, Any]) -> None:
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        rows = vectors(texts)
        data = [
            {"object": "embedding", "index": at, "embedding": base64.b64encode(row.tobytes()).decode()}
            for at, row in enumerate(rows)
        ]
        tokens = sum(len(text) for text in texts) // 4
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        self._send({"object": "list", "model": body["model"], "data": data, "usage": usage})
        with self.lock:
            self.counts["requests"] += 1
            self.counts["texts"] += len(texts)
            type(self).under_way -= 1
            if not self.under_way:
                self.counts["busy_seconds"] += time.perf_counter() - self.busy_since

    def _send(self, content: dict[str, Any]) -> None:
        data = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class _Server(ThreadingHTTPServer):
    daemon_threads = True


def _stop_with_input(server: _Server) -> None:
    sys.stdin.read()
    server.shutdown()


def main() -> None:
    """Serves on a free port until it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--until-input-ends", action="store_true", help="stop at the end of standard input too")
    wanted = parser.parse_args()
    server = _Server(("127.0.0.1", wanted.port), _Handler)
    print(f"http://127.0.0.1:{server.server_address[1]}/v1", flush=True)
    if wanted.until_input_ends:
        threading.Thread(target=_stop_with_input, args=(server,), daemon=True).start()
    try:
        server.serve_forever(poll_interval=0.05)
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
