"""How well a question's passages were found: which are where the answer is, and what TREC's measures make of that.

A ranking is over distinct documents in the order of their first passage. Where a part of a document is expected (a
heading or a page), the part ranks at its first passage, and the document's other passages together count as one other
document. A place that several documents satisfy (the same uri in two sources) is found by any one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rag_assets.evaluation.model import Expected, GoldenQuestion, Retrieved
from rag_assets.evaluation.questions import normalised
from rag_assets.store import Hit

METRICS = {
    "recall_at_5": "R@5",
    "recall_at_10": "R@10",
    "precision_at_5": "P@5",
    "mrr_at_10": "RR@10",
    "ndcg_at_10": "nDCG@10",
}
"""Our name → that of `ir_measures`, which asks trec_eval's own code. RR is cut at 10: later finds score 0."""
RANKS = 10
HEADING_MARKS = "#*_= \t"
"""What a heading's line has around its words in Markdown and its kin."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """What was found for one question, best first and at most `RANKS` long: the keys of places and other documents.

    `passages[n]` is the passage that brought `keys[n]`.
    """

    keys: tuple[str, ...]
    passages: tuple[Retrieved, ...]


def names_document(place: Expected, source: str, uri: str) -> bool:
    """Whether `place` is in this document, by its uri or by source and uri with a slash between them."""
    if place.source:
        return (place.source, place.uri) == (source, uri)
    return place.uri in (uri, f"{source}/{uri}")


def holds_part(place: Expected, *, heading_path: Sequence[str], page: int | None, text: str) -> bool:
    """Whether a passage of the expected document has the expected part of it. Case and spacing do not count.

    A heading is above the passage, or a line in it: small sections share a passage, and which do is up to the chunker.
    """
    if place.page is not None and place.page != page:
        return False
    if place.heading is None:
        return True
    wanted = normalised(place.heading)
    return wanted in map(normalised, heading_path) or any(
        wanted == normalised(line.strip(HEADING_MARKS)) for line in text.splitlines()
    )


def place_key(number: int) -> str:
    """The key of a question's expected place in rankings."""
    return f"place {number}"


def ranking(question: GoldenQuestion, hits: Sequence[Hit]) -> Ranking:
    """The first `RANKS` distinct places and documents among `hits`, best first."""
    keys: list[str] = []
    passages: list[Retrieved] = []
    seen: set[str] = set()
    for hit in hits:
        satisfied = [
            place_key(number)
            for number, place in enumerate(question.expected)
            if names_document(place, hit.source, hit.uri)
            and holds_part(place, heading_path=hit.heading_path, page=hit.page, text=hit.text)
        ]
        for key in satisfied or [hit.document_id]:
            if key not in seen and len(keys) < RANKS:
                seen.add(key)
                keys.append(key)
                passages.append(_retrieved(hit, relevant=bool(satisfied)))
    return Ranking(tuple(keys), tuple(passages))


def retrieval_scores(rankings: Mapping[str, tuple[GoldenQuestion, Ranking]]) -> dict[str, dict[str, float]]:
    """Question hash → metric → value in [0, 1], for all questions with expected places at once.

    A question with nothing found scores 0; one without expected places has no scores.
    """
    import ir_measures

    asked = {key: value for key, value in rankings.items() if value[0].expected}
    scores = {key: dict.fromkeys(METRICS, 0.0) for key in asked}
    relevant = {
        key: {place_key(number): 1 for number in range(len(question.expected))} for key, (question, _) in asked.items()
    }
    # trec_eval sorts by score and then by name, so that ranks become scores that are all different.
    run = {
        key: {name: float(RANKS - rank) for rank, name in enumerate(found.keys)}
        for key, (_, found) in asked.items()
        if found.keys
    }
    if not run:
        return scores
    measures = {ir_measures.parse_measure(theirs): ours for ours, theirs in METRICS.items()}
    for each in ir_measures.iter_calc(list(measures), relevant, run):
        scores[each.query_id][measures[each.measure]] = float(each.value)
    return scores


def _retrieved(hit: Hit, *, relevant: bool) -> Retrieved:
    return Retrieved(
        chunk_id=hit.chunk_id,
        document_id=hit.document_id,
        source=hit.source,
        uri=hit.uri,
        heading_path=tuple(hit.heading_path),
        page=hit.page,
        score=hit.score,
        relevant=relevant,
    )
