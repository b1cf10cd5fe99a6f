"""Reports as files: what they say, that nothing in them runs or calls out, and that equal input gives equal bytes."""

from __future__ import annotations

import datetime
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from rag_assets.config import AnsweringSettings, ChatSettings, EmbeddingSettings, EvaluationSettings, RetrievalSettings
from rag_assets.errors import ReportError
from rag_assets.evaluation.changes import Changes, DocumentChange, PromptChange, SettingChange, SourceChange
from rag_assets.evaluation.gate import Baseline, judge_quality
from rag_assets.evaluation.model import Evaluation, Expected, GoldenQuestion, ItemResult
from rag_assets.evaluation.report import ReportPaths, write_index, write_report
from rag_assets.evaluation.report.escaping import as_markdown
from rag_assets.evaluation.report.worst import NOT_SHOWN
from rag_assets.evaluation.report.write import SUMMARY_BYTES
from rag_assets.ledger import EvaluationRow, Snapshot
from rag_assets.prompts import Prompts
from rag_assets.releasing import ReleaseContent
from rag_assets_tests.evaluation.builders import evaluation, item, metrics_of, passage

NOW = datetime.datetime(2026, 3, 1, 12, 30, tzinfo=datetime.UTC)
HOSTILE = (
    '<script>fetch("http://evil.example")</script> ![x](http://evil.example/x.png) | `a` [b](http://evil.example)\n# c'
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page(HTMLParser):
    """The tags of a page and their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "li", "p", "dd", "dt"):
            self.text += " "


def results(values: Sequence[float], **more: Any) -> list[ItemResult]:
    return [
        item(
            f"q{number:03}",
            {"mrr_at_10": value, "answer_contains": float(value == 1)},
            tags=("pumps",) if number % 2 else ("valves",),
            retrieved=(passage("guide.md", relevant=value == 1), passage("other.md", page=3)),
            citations=({"n": 1, "source": "docs", "uri": "guide.md", "quote": "Turn it twice."},),
            **more,
        )
        for number, value in enumerate(values)
    ]


def measured(items: Sequence[ItemResult], name: str = "candidate", **more: Any) -> Evaluation:
    return evaluation(
        items,
        name=name,
        by_source={"docs": metrics_of(items)},
        by_tag={tag: metrics_of([one for one in items if tag in one.tags]) for tag in ("pumps", "valves")},
        **more,
    )


def content() -> ReleaseContent:
    snapshot = Snapshot(
        "snapshot-1", "gen1", "vector_index__gen1", 7, "minilm-384", "t", {}, {}, NOW, {"parsers": "markdown@2"}
    )
    return ReleaseContent(
        snapshot=snapshot,
        prompts=Prompts("system", "{{passages}}{{question}}", "no"),
        chat=ChatSettings(),
        embedding=EmbeddingSettings(),
        retrieval=RetrievalSettings(),
        answering=AnsweringSettings(),
    )


def row(one: Evaluation, *, days_ago: int = 0, passed: bool = True, **more: Any) -> EvaluationRow:
    defaults: dict[str, Any] = {
        "measured_id": one.measured_id,
        "snapshot_id": one.snapshot_id,
        "questions_version": one.questions_version,
        "questions": len(one.items),
        "content": {},
        "metrics": {name: metric.to_dict() for name, metric in one.metrics.items()},
        "details": {"passed": passed, "reason": "mrr_at_10 is 0.100, below its minimum 0.800"},
        "report": one.evaluation_id,
        "created_at": NOW - datetime.timedelta(days=days_ago),
    }
    return EvaluationRow(evaluation_id=one.evaluation_id, release_id=one.release_id, **(defaults | more))


def parts(candidate: Evaluation, *before: Evaluation, **more: Any) -> dict[str, Any]:
    """What `write_report` takes besides the folder and the evaluation."""
    baselines = [Baseline("serving", one.release_id, one) for one in before]
    settings = EvaluationSettings(minima={"mrr_at_10": 0.8}, bootstrap_samples=300)
    defaults: dict[str, Any] = {
        "content": content(),
        "verdict": judge_quality(candidate, baselines, settings, "subject"),
        "baselines": baselines,
        "changes": Changes("before", candidate.release_id),
        "history": [row(candidate)],
        "questions": [_question(one) for one in candidate.items],
    }
    return defaults | more


def _question(one: ItemResult) -> GoldenQuestion:
    expected = (Expected("guide.md", "docs", "Setup", 2),)
    return GoldenQuestion(
        one.question_id, one.question, expected, ("twice",), True, one.tags, "gate", one.question_hash
    )


def write(folder: Path, candidate: Evaluation, *before: Evaluation, **more: Any) -> ReportPaths:
    return write_report(folder, candidate, **parts(candidate, *before, **more))


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


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    hostile = item(
        HOSTILE,
        {"mrr_at_10": 0.0},
        question=HOSTILE,
        answer=HOSTILE,
        error=HOSTILE,
        tags=(HOSTILE,),
        retrieved=(passage(HOSTILE, heading_path=(HOSTILE,), source=HOSTILE),),
        citations=({"n": HOSTILE, "source": HOSTILE, "uri": HOSTILE, "quote": HOSTILE},),
    )
    candidate = evaluation(
        [hostile],
        by_source={HOSTILE: metrics_of([hostile])},
        by_tag={HOSTILE: metrics_of([hostile])},
        orphaned={f"{HOSTILE}2": HOSTILE},
    )
    question = GoldenQuestion(
        HOSTILE, HOSTILE, (Expected(HOSTILE, HOSTILE, HOSTILE),), (HOSTILE,), True, (), "gate", hostile.question_hash
    )
    changed = Changes(
        "before",
        "after",
        (SourceChange(HOSTILE, 1, 1, 1),),
        (DocumentChange("changed", HOSTILE, HOSTILE, HOSTILE),),
        (SettingChange("retrieval", "k", HOSTILE, HOSTILE),),
        (PromptChange("system", f"-{HOSTILE}"),),
        (HOSTILE,),
    )
    given = parts(candidate, changes=changed, questions=[question])
    paths = write_report(tmp_path, candidate, **given)
    write_index(tmp_path, [row(candidate, passed=False, details={"passed": False, "reason": HOSTILE})])
    for file in (paths.html, tmp_path / "index.html"):
        page = Page(file.read_text("utf-8"))
        assert {tag for tag, _ in page.tags}.isdisjoint({"script", "img"})
        assert '<script>fetch("http://evil.example")</script>' in page.text  # readable, as text
        assert all("evil" not in (value or "") for _, attributes in page.tags for value in attributes.values())
    for file in (paths.markdown, paths.summary):
        text = file.read_text("utf-8")
        rendered = Page(MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(text))
        assert {tag for tag, _ in rendered.tags}.isdisjoint({"script", "a", "h1c"})
        assert all((found["src"] or "").startswith("data:image/svg") for tag, found in rendered.tags if tag == "img")
        assert sum(1 for tag, _ in rendered.tags if tag == "h1") == 1
        assert '<script>fetch("http://evil.example")</script>' in rendered.text


@pytest.mark.parametrize(
    "text",
    ["1. one", "# a", "- a", "+ a", "> a", "= a", "a_b_c", "_a_", "*a*", "`a`", "~~a~~", "a|b", "&lt;b&gt;", "a\\*b"],
)
def test_every_text_shows_in_markdown_as_it_is(text: str) -> None:
    rendered = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(
        f"{as_markdown(text)}\n\n- x {as_markdown(text)}"
    )
    assert Page(rendered).text.split("\n")[0].strip() == text
    assert {tag for tag, _ in Page(rendered).tags} == {"p", "ul", "li"}


def test_what_controls_a_terminal_or_turns_text_around_is_made_visible() -> None:
    assert as_markdown("a\x1b[31m\u202eb") == "a\ufffd\\[31m\ufffdb"


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


def test_text_that_no_file_can_hold_breaks_no_report(tmp_path: Path) -> None:
    broken = "half \ud800 of a \udfff pair and NUL \0"
    kept = item(broken, {"mrr_at_10": 0.0}, question=broken, answer=broken, tags=(broken,), error=broken)
    candidate = evaluation([kept], by_tag={broken: metrics_of([kept])}, orphaned={"gone": broken})
    paths = write(tmp_path, candidate, skipped={"serving": broken})
    reason = {"passed": False, "reason": broken}
    for file in (paths.html, paths.markdown, paths.summary, write_index(tmp_path, [row(candidate, details=reason)])):
        assert "half \ufffd of a \ufffd pair and NUL \ufffd" in file.read_text("utf-8")


def test_a_folder_that_cannot_be_written_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("a file", "utf-8")
    for attempt in (
        lambda: write(tmp_path / "reports" / "one", measured(results([0.0]))),
        lambda: write_index(tmp_path / "reports", []),
    ):
        with pytest.raises(ReportError, match=r"reports.* cannot be written: ") as refused:
            attempt()
        assert str(tmp_path / "reports") in refused.value.fix
    assert not ReportPaths.of(tmp_path / "reports" / "one").exist()


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    code = """
import errno, resource, signal, sys
from pathlib import Path
from rag_assets.evaluation.report.write import write_at_once
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_at_once(Path(sys.argv[1]), "x" * 100_000)
except OSError as error:
    sys.exit(0 if error.errno == errno.EFBIG else 1)
sys.exit(2)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "report.md")], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []


def test_documents_that_are_not_for_everyone_are_named_and_not_quoted(tmp_path: Path) -> None:
    def answered(name: str, cited: str, **more: Any) -> ItemResult:
        quote = {"n": 1, "source": "docs", "uri": cited, "quote": f"Quote of {cited}."}
        given = {"citations": (quote,), "answer": f"Answer from {cited}.", **more}
        passages = (passage("secret.md", heading_path=("Secret heading",)), passage("open.md"))
        return item(name, {"mrr_at_10": 0.0}, retrieved=passages, **given)

    candidate = evaluation(
        [
            answered("q1", "secret.md"),
            answered("q2", "open.md"),
            answered("q3", "", citations=(), answer="Made of passages."),
            answered("q4", "", citations=(), answer="I do not know.", refused=True),
        ]
    )
    paths = write(tmp_path, candidate, hidden=lambda source, uri: (source, uri) == ("docs", "secret.md"))
    for file in (paths.html, paths.markdown, paths.summary):
        text = file.read_text("utf-8")
        for shown in ("docs/secret.md", "Quote of open.md.", "Answer from open.md.", "I do not know.", NOT_SHOWN):
            assert shown in text, (file, shown)
        for secret in ("Quote of secret.md", "Answer from secret.md", "Made of passages", "Secret heading"):
            assert secret not in text, (file, secret)
