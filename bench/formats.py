"""Real documents, a folder for each format: Markdown, reStructuredText and PDF as they are, HTML and Word made.

The corpora have neither web pages nor Word files, so those are made of the Markdown of Argo CD's documentation: a page
has a navigation, a header and a footer around the rendered text; a Word file has its headings, paragraphs and lists.
"""

from __future__ import annotations

import html
import shutil
from pathlib import Path

from bench.corpora import corpus_folder

SAMPLE = 100
"""Files of each made format, and of the samples that parsers are compared on."""
_NAVIGATION = "".join(f'<li><a href="/page-{number}">Page {number}</a></li>' for number in range(40))


def write_formats(folder: Path) -> dict[str, Path]:
    """Format, named by its suffix → the folder that holds its documents."""
    found = {}
    for suffix, corpora in {"md": ("argocd_docs", "fastapi_docs"), "rst": ("peps",), "pdf": ("ntsb_pdf",)}.items():
        found[suffix] = folder / suffix
        for name in corpora:
            _copy(corpus_folder(name), folder / suffix / name, suffix)
    pages = sample(folder / "md" / "argocd_docs", "md")
    for suffix, make in {"html": _page, "docx": _word}.items():
        found[suffix] = folder / suffix
        found[suffix].mkdir()
        for number, file in enumerate(pages):
            make(file.read_text("utf-8"), found[suffix] / f"{number:03}-{file.stem}.{suffix}")
    return found


def sample(folder: Path, suffix: str) -> list[Path]:
    """At most `SAMPLE` files, evenly spread over the sorted names."""
    files = sorted(folder.rglob(f"*.{suffix}"))
    return [files[at * len(files) // min(SAMPLE, len(files))] for at in range(min(SAMPLE, len(files)))]


def _copy(source: Path, target: Path, suffix: str) -> None:
    for file in source.rglob(f"*.{suffix}"):
        copy = target / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)


def _page(markdown: str, target: Path) -> None:
    from markdown_it import MarkdownIt

    title = html.escape(next((line.lstrip("# ") for line in markdown.splitlines() if line.startswith("#")), "Untitled"))
    body = MarkdownIt("commonmark").enable("table").render(markdown)
    target.write_text(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head><body>'
        f"<header><a href='/'>Home</a></header><nav><ul>{_NAVIGATION}</ul></nav><main><article>{body}</article></main>"
        "<footer>Made for a benchmark.</footer></body></html>",
        "utf-8",
    )


def _word(markdown: str, target: Path) -> None:
    import docx
    from markdown_it import MarkdownIt

    document = docx.Document()
    style = "Normal"
    for token in MarkdownIt("commonmark").parse(markdown):
        if token.type == "heading_open":
            style = f"Heading {token.tag[1]}"
        elif token.type == "list_item_open":
            style = "List Bullet"
        elif token.type in ("inline", "fence"):
            document.add_paragraph(_printable(token.content), style=style)
        elif token.type in ("heading_close", "list_item_close"):
            style = "Normal"
    document.save(str(target))


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable() or character in "\n\t")
