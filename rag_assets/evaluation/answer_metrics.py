"""How good an answer's words are: SQuAD's measures, refusals, and citations that hold.

Exact match and token F1 are those of SQuAD 1.1 (Rajpurkar et al., 2016, "SQuAD: 100,000+ Questions for Machine
Comprehension of Text", section 6.1): lower case, no punctuation, no English articles, the best of all accepted answers.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rag_assets.evaluation.model import GoldenQuestion

ANSWER_METRICS = ("answer_contains", "exact_match", "token_f1")
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_MARK = re.compile(r"\s*\[\d{1,3}\]")


def without_marks(answer: str) -> str:
    """`answer` without its citation marks, like [1]."""
    return _MARK.sub("", answer).strip()


def plain(text: str) -> str:
    """`text` as SQuAD compares it."""
    lowered = text.lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", lowered).split())


def contains(answer: str, accepted: str) -> float:
    """1.0 when the words of `accepted` stand in `answer` one after the other, as whole words.

    An accepted answer of nothing but articles and punctuation is found only where the answer is it too.
    """
    wanted, said = plain(accepted), plain(answer)
    return float(f" {wanted} " in f" {said} ") if wanted else float(said == wanted)


def exact_match(answer: str, accepted: str) -> float:
    """1.0 when both are the same words."""
    return float(plain(answer) == plain(accepted))


def token_f1(answer: str, accepted: str) -> float:
    """The harmonic mean of the shares of words that each has of the other, in [0, 1]."""
    said, wanted = plain(answer).split(), plain(accepted).split()
    if not said or not wanted:
        return float(said == wanted)
    common = (Counter(said) & Counter(wanted)).total()
    return 2 * common / (len(said) + len(wanted))


def answer_scores(
    question: GoldenQuestion,
    *,
    answer: str,
    refused: bool,
    citations: Sequence[Mapping[str, Any]],
    texts: Mapping[str, str],
) -> dict[str, float]:
    """The metrics of one answer, those that apply to it.

    `texts` are the cited passages as they are stored, by chunk id. Precision of refusals is the mean over what was
    refused, recall the mean over what should have been; a refusal of an answerable question scores 0 in the rest.
    """
    scores: dict[str, float] = {}
    if refused:
        scores["refusal_precision"] = float(not question.answerable)
    else:
        scores["citation_correctness"] = float(citations_hold(citations, texts))
    if not question.answerable:
        scores["refusal_recall"] = float(refused)
    if question.answerable and question.answers:
        said = "" if refused else without_marks(answer)
        scores["answer_contains"] = 0.0 if refused else _best(contains, said, question.answers)
        scores["exact_match"] = 0.0 if refused else _best(exact_match, said, question.answers)
        scores["token_f1"] = 0.0 if refused else _best(token_f1, said, question.answers)
        if not refused:
            scores["answer_words"] = float(len(said.split()))
    return scores


def failed_scores(question: GoldenQuestion, *, judged: bool) -> dict[str, float]:
    """What a question that got no answer scores besides retrieval: 0 in every metric its labels call for."""
    if not question.answerable:
        return {"refusal_recall": 0.0}
    names = ["citation_correctness"]
    if question.answers:
        names += [*ANSWER_METRICS, *(["judge"] if judged else [])]
    return dict.fromkeys(names, 0.0)


def citations_hold(citations: Sequence[Mapping[str, Any]], texts: Mapping[str, str]) -> bool:
    """Whether there are citations and every quote of each stands in its passage, white space aside."""
    return bool(citations) and all(
        _stand_in(citation["quotes"], texts.get(citation["chunk_id"])) for citation in citations
    )


def _stand_in(quotes: Iterable[str], text: str | None) -> bool:
    if text is None:
        return False
    flat, found = " ".join(text.split()), [" ".join(quote.split()) for quote in quotes]
    return bool(found) and all(quote and quote in flat for quote in found)


def _best(measure: Callable[[str, str], float], said: str, accepted: Sequence[str]) -> float:
    return max(measure(said, one) for one in accepted)
