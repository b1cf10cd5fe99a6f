"""Reports as files: what they say, that nothing in them runs or calls out, and that equal input gives equal bytes."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rag_assets.evaluation.changes import Changes, DocumentChange, PromptChange, SettingChange, SourceChange
from rag_assets.evaluation.report import ReportPaths, write_index
from rag_assets.evaluation.report.write import SUMMARY_BYTES
from rag_assets_tests.evaluation.builders import evaluation
from rag_assets_tests.evaluation.reports import Page, measured, results, row, write

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture
def failed(tmp_path: Path) -> ReportPaths:
    """The report of an evaluation that lost a quarter of its questions, with a past."""
    candidate = measured(results([0.0] * 15 + [1.0] * 45), orphaned={"q059": "docs/gone.md is not in the snapshot"})
    serving = measured(results([1.0] * 60), "serving")
    return write(
        tmp_path / "r",
        candidate,
        serving,
        history=[row(serving, days_ago=3), row(candidate, passed=False)],
        changes=Changes(
            "before",
            candidate.release_id,
            (SourceChange("docs", 3, 1, 2),),
            (DocumentChange("changed", "docs", "guide.md", "the file changed"),),
            (SettingChange("parser", "markdown", "1", "2"), SettingChange("retrieval", "k", "5", "8")),
            (PromptChange("system", "-Be brief.\n+Be exact."),),
        ),
    )


def test_it_says_the_verdict_what_broke_it_and_everything_behind_it(failed: ReportPaths) -> None:
    text = " ".join(Page(failed.html.read_text("utf-8")).text.split())
    assert "mrr_at_10 is 0.746, below its minimum 0.800; mrr_at_10 is significantly lower than in serving" in text
    assert "What does q000 ask? q000 · 1.000 → 0.000" in text
    assert "▼ −0.254" in text
    assert "2026-03-01 12:30 UTC" in text
    assert "changed: docs/guide.md – the file changed" in text
    assert "parser markdown 1 2" in text and "retrieval k 5 8" in text and "+Be exact." in text
    assert "q059: docs/gone.md is not in the snapshot" in text
    assert "docs/guide.md › Setup, page 2" in text  # expected
    assert "docs/other.md › Guide › Setup, page 3" in text  # retrieved
    assert "“Turn it twice.”" in text
    assert "300 resamples, seed 0" in text


def test_sections_come_in_the_order_of_a_reading(failed: ReportPaths) -> None:
    headings = re.findall(r"<h2>([A-Z][a-z ]+)", failed.html.read_text("utf-8"))
    assert headings == [
        "Metrics",
        "Over the releases",
        "What changed since ",
        "Per source",
        "Per tag",
        "Questions that went worst",
        "Questions without their documents",
    ]
    assert [one for one in re.findall(r"^## (.*)$", failed.markdown.read_text("utf-8"), re.M) if one.startswith("Per")]


def test_the_page_is_one_file_that_runs_nothing_and_calls_nobody(failed: ReportPaths) -> None:
    page = Page(failed.html.read_text("utf-8"))
    tags = {tag for tag, _ in page.tags}
    assert tags.isdisjoint({"script", "link", "iframe", "img", "object", "form", "base"})
    addresses = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if value and not name.startswith("xmlns") and re.match(r"(?:https?:)?//|javascript:|data:", value)
    ]
    assert addresses == []
    assert not re.search(r"url\((?!#)|@import", failed.html.read_text("utf-8"))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_equal_input_gives_equal_bytes(tmp_path: Path) -> None:
    candidate, serving = measured(results([0.0] * 9 + [1.0] * 51)), measured(results([1.0] * 60), "serving")
    history = [row(serving, days_ago=1), row(candidate)]
    first = write(tmp_path / "a", candidate, serving, history=history)
    second = write(tmp_path / "b", candidate, serving, history=history)
    assert first.html.read_bytes() == second.html.read_bytes()
    assert first.markdown.read_bytes() == second.markdown.read_bytes()


def test_plots_are_in_the_page_and_images_in_markdown(failed: ReportPaths) -> None:
    html, markdown = failed.html.read_text("utf-8"), failed.markdown.read_text("utf-8")
    assert html.count("<svg") == 2
    assert "MRR@10 0.746" in html and "var(--main)" in html
    assert markdown.count("![") == markdown.count("(data:image/svg+xml;base64,") == 2


def test_a_first_evaluation_without_any_past_is_a_report_too(tmp_path: Path) -> None:
    candidate = measured(results([1.0] * 60))
    paths = write(tmp_path, candidate, changes=Changes(None, candidate.release_id, (SourceChange("docs", 4, 0, 0),)))
    text = Page(paths.html.read_text("utf-8")).text
    assert "passed" in text and "There is no earlier release" in text and "every question went as it should" in text


def test_no_question_at_all_is_a_report_that_says_so(tmp_path: Path) -> None:
    paths = write(tmp_path, evaluation([]))
    assert "nothing was measured" in Page(paths.html.read_text("utf-8")).text


def test_a_release_that_could_not_be_asked_is_named(tmp_path: Path) -> None:
    paths = write(tmp_path, measured(results([1.0] * 60)), skipped={"best past": "abc: Its tables are gone."})
    assert "not compared with best past abc: Its tables are gone." in Page(paths.html.read_text("utf-8")).text


def test_a_metric_that_is_not_significantly_different_has_no_arrow(tmp_path: Path) -> None:
    candidate, serving = measured(results([0.0] * 2 + [1.0] * 58)), measured(results([1.0] * 60), "serving")
    html = write(tmp_path, candidate, serving).html.read_text("utf-8")
    assert "−0.033" in html and "▼" not in html


def test_the_summary_is_small_whatever_the_questions_hold(tmp_path: Path) -> None:
    long = measured(results([0.0] * 60, answer="word " * 4_000, question="why " * 2_000))
    paths = write(tmp_path, long, history=[row(long, days_ago=day) for day in range(60)])
    text = paths.summary.read_text("utf-8")
    assert len(text.encode()) <= SUMMARY_BYTES < paths.markdown.stat().st_size
    assert "## Metrics" in text and "data:image/svg+xml" in text


def test_the_index_lists_all_reports_newest_first_with_relative_links(tmp_path: Path) -> None:
    old, new = measured(results([1.0] * 9), "old"), measured(results([0.1] * 9), "new")
    unwritten = row(measured(results([1.0]), "none"), days_ago=9, report=None, details={})
    rows = [row(old, days_ago=5), row(new, passed=False), unwritten]
    path = write_index(tmp_path, rows)
    page = Page(path.read_text("utf-8"))
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert links == ["evaluation-new/report.html", "evaluation-old/report.html"]
    assert "0.100" in page.text and "below its minimum 0.800" in page.text
    assert path == write_index(tmp_path, []) and "No evaluation was made yet." in path.read_text("utf-8")


def test_a_file_is_replaced_at_once_and_leaves_nothing_behind(tmp_path: Path) -> None:
    candidate = measured(results([1.0] * 9))
    for _ in range(2):
        write(tmp_path / "r", candidate)
    assert sorted(file.name for file in (tmp_path / "r").iterdir()) == ["report.html", "report.md", "summary.md"]


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")
def test_a_browser_shows_it_and_finds_nothing_to_block(failed: ReportPaths, tmp_path: Path) -> None:
    assert CHROMIUM is not None
    done = subprocess.run(
        [
            CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
            f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--virtual-time-budget=2000",
            "--dump-dom", failed.html.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "Questions that went worst" in done.stdout
    assert "Content Security Policy" not in done.stderr and "CONSOLE" not in done.stderr
