"""Renders reports and puts them in their place, each file at once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag_assets.errors import DISK_ERRORS, ReportError
from rag_assets.evaluation.changes import Changes
from rag_assets.evaluation.gate import Baseline
from rag_assets.evaluation.model import Evaluation, GoldenQuestion
from rag_assets.evaluation.report import plots
from rag_assets.evaluation.report.escaping import as_markdown, as_text
from rag_assets.evaluation.report.view import View, view_of
from rag_assets.evaluation.report.worst import Hidden
from rag_assets.ledger import EvaluationRow
from rag_assets.ledger.columns import storable
from rag_assets.releasing import GateVerdict, ReleaseContent

if TYPE_CHECKING:
    import jinja2

HTML_FILE, MARKDOWN_FILE, SUMMARY_FILE = "report.html", "report.md", "summary.md"
SUMMARY_BYTES = 60_000
SUMMARY_WORST = (5, 3, 1, 0)


@dataclass(frozen=True, slots=True)
class ReportPaths:
    """The files of one report. `summary` is the Markdown for Dagster's page of the asset."""

    html: Path
    markdown: Path
    summary: Path

    @classmethod
    def of(cls, folder: Path) -> ReportPaths:
        """Where the files of the report in `folder` are."""
        return cls(folder / HTML_FILE, folder / MARKDOWN_FILE, folder / SUMMARY_FILE)

    def exist(self) -> bool:
        """Whether all of them can be seen; those in a folder that may not be entered cannot."""
        return all(map(os.path.isfile, (self.html, self.markdown, self.summary)))


def write_report(
    folder: Path,
    evaluation: Evaluation,
    *,
    content: ReleaseContent,
    verdict: GateVerdict,
    baselines: Sequence[Baseline],
    changes: Changes,
    history: Sequence[EvaluationRow],
    questions: Sequence[GoldenQuestion],
    skipped: Mapping[str, str] | None = None,
    hidden: Hidden = lambda source, uri: False,
) -> ReportPaths:
    """Writes the report of `evaluation` into `folder`, which it makes; a former one there is replaced.

    `history` is oldest first and holds this evaluation's own row too. `skipped`: baselines that could not be asked,
    and why. `hidden`: the documents of which nothing but their place is shown. Equal input gives equal bytes. Raises
    `ReportError`.
    """
    viewed = partial(
        view_of,
        evaluation,
        content=content,
        verdict=verdict,
        baselines=baselines,
        changes=changes,
        history=history,
        questions=questions,
        skipped=skipped,
        hidden=hidden,
    )
    view = viewed()
    paths = ReportPaths.of(folder)
    write_at_once(paths.html, render_html("report.html", view=view))
    write_at_once(paths.markdown, _markdown(view))
    write_at_once(paths.summary, _summary(viewed))
    return paths


def _summary(viewed: Callable[..., View]) -> str:
    """The report as Markdown of at most `SUMMARY_BYTES` bytes, with fewer questions."""
    text = ""
    for worst in SUMMARY_WORST:
        text = _markdown(viewed(worst=worst))
        if len(text.encode()) <= SUMMARY_BYTES:
            break
    return text.encode()[:SUMMARY_BYTES].decode("utf-8", "ignore")


def render_html(template: str, **values: Any) -> str:
    """One HTML page."""
    return _environments()[0].get_template(template).render(**values)


def write_at_once(path: Path, text: str) -> None:
    """Whoever reads `path` sees the former file or this one, never a part.

    Raises `ReportError` where the file cannot be written, but the `OSError` itself when the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, storable(text))
    except OSError as error:
        if error.errno in DISK_ERRORS:
            raise
        raise ReportError(
            f"The report {path} cannot be written: {error.strerror or error}.",
            fix=f"Make {path.parent} a folder that can be written to; what was asked is kept and not asked again.",
        ) from None


def _replace(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _markdown(view: View) -> str:
    return _environments()[1].get_template("report.md").render(view=view)


@cache
def _environments() -> tuple[jinja2.Environment, jinja2.Environment]:
    """For HTML, which escapes by itself, and for Markdown, where every value is escaped before it is put in."""
    import jinja2
    from markupsafe import Markup

    loader = jinja2.PackageLoader("rag_assets.evaluation.report")
    common: dict[str, Any] = {"loader": loader, "undefined": jinja2.StrictUndefined}
    common |= {"trim_blocks": True, "lstrip_blocks": True}
    html = jinja2.Environment(autoescape=True, finalize=as_text, **common)
    html.filters["plot"] = lambda svg: Markup(plots.for_page(svg))  # noqa: S704 - drawn here, its labels are our own
    markdown = jinja2.Environment(autoescape=False, finalize=as_markdown, **common)  # noqa: S701 - as_markdown escapes
    markdown.filters["plot"] = lambda svg: Markup(plots.as_image(svg))  # noqa: S704
    return html, markdown
