"""Which blocks belong together: sections, groups of small sections, and bundles that must not be parted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rag_assets.documents.model import Block

_INTRODUCED = frozenset({"code", "table", "list"})

# Tokens of the stretch from the first block to the last; whether that stretch fits one chunk.
Measure = Callable[[Block, Block], int]
Fits = Callable[[Block, Block], bool]


def group_sections(blocks: Sequence[Block], measure: Measure, fits: Fits, *, small_tokens: int) -> list[list[Block]]:
    """Groups of whole sections, in order; packing starts afresh with each group, so an edit stays within its group.

    A section is a heading and what follows up to the next heading. It is a group of its own, except that a heading
    without text goes with the next section, a small introduction with the first section below it where they fit one
    chunk together, and small neighbours under one heading with each other until they are no longer small.
    """
    groups: list[list[Block]] = []
    for section in _sections(blocks):
        if groups and _goes_with(groups[-1], section, measure, fits, small_tokens):
            groups[-1].extend(section)
        else:
            groups.append(section)
    return groups


def bundles(blocks: Sequence[Block], is_introduction: Callable[[Block], bool]) -> Iterator[list[Block]]:
    """Headings with the block that follows them, and a block that introduces code, a table or a list with that."""
    bundle: list[Block] = []
    for position, block in enumerate(blocks):
        bundle.append(block)
        if position + 1 < len(blocks):
            following = blocks[position + 1]
            if block.kind == "heading" or (following.kind in _INTRODUCED and is_introduction(block)):
                continue
        yield bundle
        bundle = []


def common_path(blocks: Sequence[Block]) -> tuple[str, ...]:
    """The headings that all content of `blocks` stands under; headings count only where there is nothing else."""
    paths = [block.heading_path for block in blocks if block.kind != "heading"]
    paths = paths or [block.heading_path for block in blocks]
    shortest, longest = min(paths), max(paths)  # in lexical order, what these two share, all share
    length = 0
    while length < min(len(shortest), len(longest)) and shortest[length] == longest[length]:
        length += 1
    return shortest[:length]


def _sections(blocks: Sequence[Block]) -> Iterator[list[Block]]:
    section: list[Block] = []
    for block in blocks:
        if block.kind == "heading" and section:
            yield section
            section = []
        section.append(block)
    if section:
        yield section


def _goes_with(group: list[Block], section: list[Block], measure: Measure, fits: Fits, small_tokens: int) -> bool:
    if group[-1].kind == "heading":
        return True
    if measure(group[0], group[-1]) >= small_tokens:
        return False
    parent = section[0].heading_path[:-1]
    if parent == group[0].heading_path:
        return fits(group[0], section[-1])
    return parent == group[-1].heading_path[:-1] and measure(section[0], section[-1]) < small_tokens
