"""Texts from outside in a report: hostile ones, unwritable ones, and those that are not for everyone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from rag_assets.errors import ReportError
from rag_assets.evaluation.changes import Changes, DocumentChange, PromptChange, SettingChange, SourceChange
from rag_assets.evaluation.model import Expected, GoldenQuestion, ItemResult
from rag_assets.evaluation.report import ReportPaths, write_index, write_report
from rag_assets.evaluation.report.escaping import as_markdown
from rag_assets.evaluation.report.worst import NOT_SHOWN
from rag_assets_tests.evaluation.builders import evaluation, item, metrics_of, passage
from rag_assets_tests.evaluation.reports import Page, measured, parts, results, row, write

HOSTILE = (
    '<script>fetch("http://evil.example")</script> ![x](http://evil.example/x.png) | `a` [b](http://evil.example)\n# c'
)


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
