"""Embedding throughput through the product's own path, beside sentence-transformers on torch with the same weights.

    python -m bench.embedding [--rounds 5] [--chunks 256] [--kinds near240 mixed] [--json] [--out FOLDER]

Each side runs in a process of its own, in an order that is reversed every other round:

    ours int8, ours fp32    `Embedder` with default settings but for the precision: token counts, openai client,
                            transport, base64, checks, and a ledger row for every request
    torch fp32              sentence-transformers' `encode`, on torch for CPUs, vectors of unit length, from the same
                            checkpoint, texts cut at 256 tokens as ours. Its best settings are looked for first, on
                            this machine: batches of 4 to 64, torch's own number of threads and one a processor
    limit int8, limit fp32  this machine's own products in onnxruntime: MatMulInteger and MatMul of 2048 x 2048, one
                            session that a thread for each processor shares, as the encoder runs

`near240` are chunks of 220 to 240 tokens, `mixed` is what the chunker makes of the documents (`embedding_inputs.py`).
Chunks a second are by wall clock, so the machine must be idle. The part of the limit counts the products of the model
alone, 21.2 million operations a token in its layers and 9,216 for each pair of tokens in attention, which runs in fp32
in both precisions. Without the comparators' environment (`make .venv-bench/.installed`) torch is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import environment
from bench.embedding_inputs import load_inputs
from bench.report import Report, arguments, finish, say
from rag_assets.models.embedded.weights import DIRECTORY_VARIABLE, locate_weights
from rag_assets.models.tokenizers import EMBEDDED_TOKENIZER, load_tokenizer

ENGINES = Path(__file__).with_name("embedding_engines.py")
OURS = ("ours-int8", "ours-fp32")
LIMITS = ("limit-int8", "limit-fp32")
TORCH = "torch-fp32"
NEEDS = ("torch", "sentence-transformers")
LINEAR_OPERATIONS_PER_TOKEN = 2 * 6 * (384 * 3 * 384 + 384 * 384 + 2 * 384 * 1536)
ATTENTION_OPERATIONS_PER_PAIR = 2 * 2 * 6 * 384
REQUIRED = {"ours-int8": 4.0, "ours-fp32": 2.0}
"""Times as fast as torch in fp32, near 240 tokens."""


def run_engine(engine: str, inputs: Path, *settings: str) -> dict[str, Any]:
    """What one engine measured in a process of its own; exits with its message when it fails."""
    python = str(environment.python()) if engine.startswith("torch") else sys.executable
    # Only numpy listens to this variable, and only some machines set it.
    clean = {name: value for name, value in os.environ.items() if name != "OPENBLAS_CORETYPE"}
    clean |= {"PYTHONPATH": str(ENGINES.parents[1]), "HF_HUB_OFFLINE": "1", DIRECTORY_VARIABLE: str(locate_weights())}
    command = [python, str(ENGINES), engine, str(inputs), *settings]
    done = subprocess.run(command, capture_output=True, text=True, env=clean)
    if done.returncode:
        raise SystemExit(f"{engine} failed:\n{done.stderr[-2_000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def measure(report: Report, kind: str, texts: list[str], inputs: Path, rounds: int) -> None:
    """All rounds over one kind of input."""
    settings: tuple[str, ...] = ()
    sides = [*LIMITS, *OURS]
    if not report.skipped:
        found = run_engine(f"{TORCH}-settings", inputs)
        settings = (json.dumps(found["settings"]),)
        report.settings[f"{TORCH} {kind}"] = f"{found['settings']} of {found['tried']}"
        sides.append(TORCH)
    measured: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
    for number in range(rounds):
        for side in sides if number % 2 == 0 else reversed(sides):
            measured[side].append(run_engine(side, inputs, *(settings if side == TORCH else ())))
            say(f"{kind}, round {number + 1}: {side} {measured[side][-1]['rate']:.4g}/s")
    record(report, kind, texts, measured)


def record(report: Report, kind: str, texts: list[str], measured: dict[str, list[dict[str, Any]]]) -> None:
    """Figures and claims of one kind of input."""
    tokenizer = load_tokenizer(EMBEDDED_TOKENIZER)
    counts = [tokenizer.count(text) + tokenizer.special_tokens for text in texts]
    work = sum(n * LINEAR_OPERATIONS_PER_TOKEN + n**2 * ATTENTION_OPERATIONS_PER_PAIR for n in counts) / len(counts)
    rates = {side: [one["rate"] for one in found] for side, found in measured.items()}
    for side in LIMITS:
        report.add(f"{kind}: square products", side, "GOP/s", [rate / 1e9 for rate in rates[side]])
    for side in (*OURS, TORCH):
        if side not in rates:
            continue
        limit = statistics.median(rates[f"limit-{side.partition('-')[2]}"])
        report.add(f"{kind}: chunks", side, "chunks/s", rates[side])
        report.add(f"{kind}: tokens", side, "tokens/s", [rate * sum(counts) / len(counts) for rate in rates[side]])
        report.add(f"{kind}: part of the limit", side, "%", [100 * rate * work / limit for rate in rates[side]])
        report.add(f"{kind}: most memory", side, "MiB", [one["peak_mib"] for one in measured[side]])
    for side, required in REQUIRED.items():
        times = statistics.median(rates[side]) / statistics.median(rates[TORCH]) if TORCH in rates else None
        met = times >= required if times is not None and kind == "near240" else None
        wanted = f">= {required:g}x" if kind == "near240" else "reported"
        report.claim(f"{kind}: {side} beside {TORCH}", wanted, times, "x", met=met)


def main() -> None:
    """Measures, prints and writes."""
    parser: argparse.ArgumentParser = arguments(__doc__, rounds=5)
    parser.add_argument("--chunks", type=int, default=256, help="texts of each kind (default 256)")
    parser.add_argument("--kinds", nargs="+", choices=("near240", "mixed"), default=["near240", "mixed"])
    wanted = parser.parse_args()
    report = Report("embedding", {"rounds": wanted.rounds, "chunks": wanted.chunks}, environment.versions(*NEEDS))
    if absent := environment.why_absent(*NEEDS):
        report.skipped.append(absent)
    with tempfile.TemporaryDirectory() as folder:
        for kind in wanted.kinds:
            texts = load_inputs(kind, wanted.chunks)
            inputs = Path(folder) / f"{kind}.json"
            inputs.write_text(json.dumps(texts))
            measure(report, kind, texts, inputs, wanted.rounds)
    finish(report, wanted)


if __name__ == "__main__":
    main()
