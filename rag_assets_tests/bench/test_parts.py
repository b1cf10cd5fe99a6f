"""The parts that the benches measure with: what they count must be what happened."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.comparators import hashed_vectors
from bench.documents import documents, edit_one_paragraph, write_documents
from bench.free_model import DIMENSION, free_model, vectors
from bench.incremental import table_versions
from bench.opened_files import watch_opened
from bench.plots import plot_report
from bench.processes import CommandFailedError, run
from bench.report import Report, arguments, finish
from rag_assets.config.models import ModelSettings
from rag_assets.documents.parsing import parse
from rag_assets.models.embedder import Embedder

pytestmark = pytest.mark.slow  # they measure the product, and are no part of it


def test_the_same_number_is_the_same_document_in_any_call():
    many = dict(documents(20))
    assert dict(documents(3, first=7)) == {number: many[number] for number in (7, 8, 9)}
    assert len(set(many.values())) == 20


def test_an_edit_changes_one_block_of_one_file(tmp_path: Path):
    first, second = write_documents(tmp_path, 2)
    before, untouched = first.read_bytes(), second.read_bytes()
    edit_one_paragraph(first, 1)
    blocks = [
        [document.text[block.start : block.end] for block in document.blocks]
        for document in map(_parsed, (before, first.read_bytes()))
    ]
    assert [one != other for one, other in zip(*blocks, strict=True)] == [False] * (len(blocks[0]) - 1) + [True]
    assert second.read_bytes() == untouched


def _parsed(data: bytes) -> Any:
    return parse(data, "a.md", language="en")


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
def test_opened_files_are_counted_whoever_opens_them(tmp_path: Path):
    files = write_documents(tmp_path, 3, paragraphs=1)
    with watch_opened(tmp_path) as opened:
        files[0].read_bytes()
        files[0].read_bytes()
        files[2].stat()
        run([sys.executable, "-c", f"open({str(files[1])!r}).read()"], cwd=tmp_path)
        list(tmp_path.rglob("*"))
    assert len(opened.paths) == 2


def test_both_sides_get_the_same_vectors_and_the_server_counts_them():
    texts = ["one", "two", "three"]
    with free_model() as model:
        settings = {
            "providers": {"free": {"base_url": model.base_url, "api_key_env": None}},
            "embedding": {"provider": "free", "model": "all-MiniLM-L6-v2"},
        }
        with Embedder(ModelSettings.model_validate(settings)) as embedder:
            batches = list(embedder.embed_documents(texts))
        counts = model.counts()
    found = np.concatenate([batch.vectors for batch in batches])
    expected = vectors(texts) / np.linalg.norm(vectors(texts), axis=1, keepdims=True)
    assert np.allclose(found[np.argsort([i for batch in batches for i in batch.indices])], expected, atol=1e-6)
    assert np.array_equal(hashed_vectors.embed(texts), vectors(texts))
    assert (counts["texts"], counts["requests"]) == (3, 1)
    assert 0 < counts["busy_seconds"] < 30
    assert found.shape == (3, DIMENSION)


def test_a_process_is_measured_with_its_children(tmp_path: Path):
    child = "import subprocess, sys, time; b = bytearray(60_000_000); subprocess.run([sys.executable, '-c', "
    child += "'import time; b = bytearray(b\"1\") * 90_000_000; time.sleep(.4)'])"
    done = run([sys.executable, "-c", child], cwd=tmp_path)
    assert done.peak_mb > 90
    assert done.seconds > 0.4
    with pytest.raises(CommandFailedError, match="wrong here"):
        run([sys.executable, "-c", "raise SystemExit('wrong here')"], cwd=tmp_path)


def test_versions_of_tables_are_counted(tmp_path: Path):
    import lancedb

    connection = lancedb.connect(tmp_path)
    table = connection.create_table("t", [{"a": 1}])
    before = table_versions(tmp_path)
    table.add([{"a": 2}])
    table.delete("a = 1")
    assert table_versions(tmp_path) - before == 2


def test_a_report_says_what_was_met_and_draws_what_grows(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    report = Report("sample", settings={"documents": 10})
    report.add("run", "ours", "s", [3.0, 1.0, 2.0])
    report.add("run", "theirs", "s", [9.0])
    for size in (10, 100):
        report.add("memory", "ours", "MB", [size * 2.0], size=size)
    report.claim("run", "at most 1 s", report.median("run", "ours"), "s", met=False)
    report.claim("other", "at most 1 s", report.median("other", "ours"), "s", met=False)
    finish(report, arguments(None, rounds=1).parse_args(["--out", str(tmp_path)]))
    shown = capsys.readouterr().out
    assert "NOT MET: run: 2 s (required: at most 1 s)" in shown
    assert "open: other: not measured" in shown
    figures = json.loads((tmp_path / "sample.json").read_text())["figures"]
    assert [(one["median"], one["min"], one["max"]) for one in figures][:2] == [(2, 1, 3), (9, 9, 9)]
    assert [file.name for file in plot_report(tmp_path / "sample.json")] == ["sample-growth.svg", "sample-sides.svg"]
