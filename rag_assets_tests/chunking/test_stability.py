"""An edit changes the chunks of its section and no others, so that only they are embedded again."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag_assets.chunking import Chunk, Tokenizer
from rag_assets_tests.chunking.builders import Part, chunks_of, code, heading, paragraph, sentences, table

_BODIES = st.sampled_from([paragraph(20), paragraph(35), sentences(3), sentences(11), code(6), code(30), table(12)])


def _inputs(chunks: list[Chunk], other_than: str) -> list[tuple[str, str]]:
    return [(chunk.text, chunk.input_text) for chunk in chunks if chunk.heading_path != (other_than,)]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    sections=st.lists(st.lists(_BODIES, min_size=1, max_size=4), min_size=2, max_size=6),
    edited=st.integers(0, 5),
    inserted=st.one_of(_BODIES, st.just(paragraph(2))),
    position=st.integers(0, 4),
)
def test_an_edit_in_one_section_changes_only_its_chunks(
    sections: list[list[Part]], edited: int, inserted: Part, position: int, tokenizer: Tokenizer
):
    edited %= len(sections)

    def parts(changed: bool) -> list[Part]:
        made: list[Part] = []
        for number, bodies in enumerate(sections):
            made.append(heading(f"Section {number}"))
            here = list(bodies)
            if changed and number == edited:
                here.insert(position, inserted)
            made += here
        return made

    before, after = chunks_of(parts(False), tokenizer), chunks_of(parts(True), tokenizer)
    name = f"Section {edited}"
    assert _inputs(before, name) == _inputs(after, name)
    assert _inputs(before, "") != _inputs(after, "")


def test_a_paragraph_at_the_front_leaves_later_chunks_of_its_section_where_blocks_align(tokenizer: Tokenizer):
    bodies = [paragraph(30, f"Paragraph{i}") for i in range(6)]
    before = chunks_of([heading("Only"), *bodies], tokenizer)
    after = chunks_of([heading("Only"), paragraph(40, "New"), *bodies], tokenizer)
    assert {chunk.text for chunk in before[1:]} <= {chunk.text for chunk in after}


def test_text_before_the_first_heading_does_not_move_the_sections(tokenizer: Tokenizer):
    parts = [heading("A"), paragraph(30), heading("B"), sentences(9)]
    before, after = chunks_of(parts, tokenizer), chunks_of([paragraph(50), *parts], tokenizer)
    assert [chunk.input_text for chunk in before] == [chunk.input_text for chunk in after][-len(before) :]
