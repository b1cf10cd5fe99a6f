"""Documents for chunking tests, without a parser: a list of parts becomes text and blocks."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from rag_assets.chunking import Chunk, Tokenizer, chunk_document
from rag_assets.config import ChunkingSettings
from rag_assets.documents.model import Block, BlockKind, Document

Part = tuple[BlockKind, str, int]

WORDS = (
    "the",
    "index",
    "holds",
    "one",
    "vector",
    "per",
    "chunk",
    "and",
    "the",
    "ledger",
    "keeps",
    "what",
    "it",
    "cost",
)


def heading(text: str, level: int = 2) -> Part:
    return "heading", text, level


def paragraph(words: int = 20, first: str = "Text") -> Part:
    return "paragraph", " ".join([first, *(WORDS[i % len(WORDS)] for i in range(words - 1))]) + ".", 0


def sentences(count: int, words: int = 12) -> Part:
    return "paragraph", " ".join(paragraph(words, f"Sentence{i}")[1] for i in range(count)), 0


def code(lines: int, indent: str = "") -> Part:
    body = "\n".join(f"{indent}run --step {i} --verbose" for i in range(lines))
    return "code", f"{indent}```sh\n{body}\n{indent}```", 0


def table(rows: int) -> Part:
    body = "\n".join(f"| name{i} | value of row {i} |" for i in range(rows))
    return "table", f"| setting | meaning |\n| --- | --- |\n{body}", 0


def document(parts: Sequence[Part], title: str = "Handbook", gap: str = "\n\n") -> Document:
    """The parts with `gap` between them, under the paths that their headings give."""
    text, blocks, outline = "", [], list[tuple[int, str]]()
    for kind, content, level in parts:
        if kind == "heading":
            outline = [*(entry for entry in outline if entry[0] < level), (level, " ".join(content.split()))]
            content = f"{'#' * level} {content}"
        text += gap if text else ""
        path = tuple(name for _, name in outline)
        blocks.append(Block(kind, len(text), len(text) + len(content), level, None, path))
        text += content
    return Document(text, tuple(blocks), title, "text/markdown", "test@1")


def chunks_of(
    parts: Sequence[Part] | Document,
    tokenizer: Tokenizer,
    *,
    max_tokens: int = 64,
    overlap: int = 0,
    prefix: bool = True,
) -> list[Chunk]:
    settings = ChunkingSettings(max_tokens=max_tokens, overlap_tokens=overlap, heading_prefix=prefix)
    made = parts if isinstance(parts, Document) else document(parts)
    return chunk_document(made, settings, tokenizer, max_input_tokens=256)


_ALPHABET = st.one_of(
    st.sampled_from("abcdefgh XYZ 0123 .,:;!?-_*`|#>\n\t"),
    st.sampled_from("日本語の文章を切る。、ｶﾀｶﾅ"),
    st.characters(exclude_categories=["Cs"]),
)
_CONTENT = st.one_of(
    st.text(_ALPHABET, min_size=1, max_size=400),
    st.integers(1, 90).map(lambda words: paragraph(words)[1]),
    st.integers(1, 40).map(lambda lines: code(lines)[1]),
    st.integers(1, 20).map(lambda rows: table(rows)[1]),
    st.integers(10, 900).map(lambda size: "QUJD/x9+" * (size // 8 + 1)),
    st.integers(10, 900).map(lambda size: "deadbeef" * (size // 8 + 1)),
).filter(lambda text: bool(text.strip()))
_KINDS = st.sampled_from(["heading", "paragraph", "list", "table", "code", "quote", "other"])
_PARTS = st.tuples(_KINDS, _CONTENT, st.integers(1, 6))


def documents() -> st.SearchStrategy[Document]:
    """Documents with anything in them, long blocks, odd characters and headings in any order among it."""
    return st.builds(
        document,
        st.lists(_PARTS, max_size=10),
        title=st.one_of(st.just("Handbook"), st.text(_ALPHABET, max_size=200)),
        gap=st.sampled_from(["\n\n", "\n", "\n\n<!-- not in any block -->\n\n"]),
    )
