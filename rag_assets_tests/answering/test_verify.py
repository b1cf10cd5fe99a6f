from __future__ import annotations

import pytest

from rag_assets.answering import cited_passages
from rag_assets.store import Hit


def hit(text: str, n: int = 1) -> Hit:
    return Hit(
        chunk_id=f"c{n}",
        document_id=f"d{n}",
        source="handbook",
        uri=f"{n}.md",
        title=f"Title {n}",
        heading_path=("Title", "Part"),
        page=None,
        text=text,
        ordinal=0,
        start_offset=0,
        end_offset=len(text),
        document_hash="h",
        score=1.0,
        vector_score=1.0,
        text_score=1.0,
    )


PASSAGES = [
    hit("Chunks have at most 240 tokens. Overlap is off by default.", 1),
    hit("Releases are immutable. A rollback flips one row in the ledger.", 2),
]


def test_a_verbatim_statement_is_its_own_quote() -> None:
    answer, citations = cited_passages("A rollback flips one row in the ledger. [2]", PASSAGES)
    assert answer == "A rollback flips one row in the ledger. [1]"
    assert [(c.n, c.uri, c.quote) for c in citations] == [(1, "2.md", "A rollback flips one row in the ledger.")]


def test_a_paraphrase_is_supported_by_the_sentence_that_shares_its_words() -> None:
    _, citations = cited_passages("By default, overlap is off [1].", PASSAGES)
    assert [c.quote for c in citations] == ["Overlap is off by default."]


def test_a_citation_that_does_not_hold_is_dropped_with_its_mark() -> None:
    answer, citations = cited_passages("Elephants migrate twice every wet season. [1]", PASSAGES)
    assert citations == ()
    assert "[" not in answer


def test_a_citation_of_a_passage_that_does_not_exist_is_dropped() -> None:
    assert cited_passages("Releases are immutable. [7]", PASSAGES)[1] == ()
    assert cited_passages("Releases are immutable. [0]", PASSAGES)[1] == ()


def test_citations_are_numbered_in_the_order_they_appear_and_once_each() -> None:
    said = "Releases are immutable. [2] Overlap is off by default. [1] A rollback flips one row in the ledger. [2]"
    answer, citations = cited_passages(said, PASSAGES)
    assert answer == (
        "Releases are immutable. [1] Overlap is off by default. [2] A rollback flips one row in the ledger. [1]"
    )
    assert [c.uri for c in citations] == ["2.md", "1.md"]
    assert citations[0].quotes == ("Releases are immutable.", "A rollback flips one row in the ledger.")
    assert citations[0].quote == citations[0].quotes[0]


def test_brackets_that_are_no_citation_stay() -> None:
    answer, citations = cited_passages("Overlap is off by default, see [docs]. [1]", PASSAGES)
    assert "[docs]" in answer
    assert len(citations) == 1


def test_every_quote_stands_in_its_passage() -> None:
    said = "At most 240 tokens per chunk [1], and one row flips in the ledger on rollback [2]."
    for citation in cited_passages(said, PASSAGES)[1]:
        assert any(citation.quote in passage.text for passage in PASSAGES)


def test_a_statement_is_found_across_line_breaks_of_its_passage() -> None:
    passages = [hit("Intro.\n\nThe constant k is 60\nin the paper.  Next.")]
    _, citations = cited_passages("The constant k is 60 in the paper. [1]", passages)
    assert [c.quote for c in citations] == ["The constant k is 60\nin the paper."]


@pytest.mark.parametrize(
    "said",
    [
        "The largest batch is 512 according to [the guide].",
        "The port is stored in `ports[main]`.",
        "The timeout, see [RFC 2119], is 30 seconds.",
        "It is started with the command frob run [options]",
        "Lists [[nest]] and ] stands alone.",
    ],
)
def test_brackets_of_the_passage_are_part_of_its_quote(said: str) -> None:
    answer, citations = cited_passages(f"{said} [1]", [hit(f"Before it.\n\n{said}\n\nAfter it.")])
    assert answer == f"{said} [1]"
    assert [c.quote for c in citations] == [said]


@pytest.mark.parametrize("said", ["", ".", "`.", '"', " ] "])
def test_what_has_no_word_supports_nothing(said: str) -> None:
    assert cited_passages(f"{said} [1]", [hit('A `word`. "Another" ] one.')])[1] == ()


def test_a_statement_of_several_sentences_is_quoted_by_the_one_that_stands_in_the_passage() -> None:
    said = "You asked about overlap, and here is what I could find on it.\nOverlap is off by default. [1]"
    assert [c.quote for c in cited_passages(said, PASSAGES)[1]] == ["Overlap is off by default."]
    assert cited_passages("Elephants migrate. Off. [1]", PASSAGES)[1] == ()


def test_marks_of_one_statement_share_it_and_the_next_begins_after_its_full_stop() -> None:
    passages = [hit("Overlap is off.", 1), hit("Overlap is off, says the table.", 2), hit("Releases are immutable.", 3)]
    answer, citations = cited_passages("Overlap is off [1]   [2]. Releases are immutable [3].", passages)
    assert answer == "Overlap is off [1] [2]. Releases are immutable [3]."
    assert [c.quote for c in citations] == ["Overlap is off", "Overlap is off", "Releases are immutable"]


@pytest.mark.timeout(30)
@pytest.mark.parametrize("piece", [" ", "word ", "[", "[a", "a] ", "a[ ", "aa bb cc. ", "[1] ", "a [1] "])
def test_a_long_answer_is_read_in_one_pass(piece: str) -> None:
    cited_passages(
        (piece * 200_000)[:200_000] + " [1]", [hit("word " * 500 + "gap" + " " * 5_000 + "end. Another one.")]
    )
