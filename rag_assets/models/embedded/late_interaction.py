"""Late interaction: how well a passage answers a question, by the vectors of their tokens.

For each token of the question the best cosine among the passage's tokens, each read in the context of its text; the
score is their mean, weighted by how rare a token is (ColBERT's idea, https://arxiv.org/abs/2004.12832, on the last
hidden states of all-MiniLM-L6-v2, which was not trained for it). A passage of 240 tokens takes about 10 ms of one core.
"""

from __future__ import annotations

from collections.abc import Sequence

from rag_assets.errors import WeightsError
from rag_assets.models.embedded.encoder import DEFAULT_PRECISION, get_encoder
from rag_assets.models.embedded.reader.features import general_weights
from rag_assets.models.embedded.reader.vectors import token_vectors_of
from rag_assets.models.embedded.tensors import Precision


class LateInteraction:
    """Scores passages against a question. Thread safe; the same texts always have the same score.

    Needs the weights of all-MiniLM-L6-v2, whichever model embeds: raises `WeightsError` when they are not there.
    `precision` None is the default one.
    """

    def __init__(self, precision: Precision | None = None) -> None:
        try:
            self._encoder = get_encoder(precision or DEFAULT_PRECISION)
        except WeightsError as error:
            raise WeightsError(
                f"The reranker late_interaction reads with all-MiniLM-L6-v2: {error.problem}",
                fix=f"{error.fix} Or set retrieval.reranker: none.",
            ) from error

    def __call__(self, question: str, texts: Sequence[str]) -> list[float]:
        """A score in [0, 1] for each text, 1 for a text that has every token of the question in the same context.

        Where question or text has no token, 0.
        """
        asked, *passages = token_vectors_of(self._encoder, [question, *texts])
        # Marks weigh nothing; a question of nothing else weighs alike.
        weights = general_weights(asked.ids) + 1e-6
        scores = []
        for passage in passages:
            if not len(asked.ids) or not len(passage.ids):
                scores.append(0.0)
                continue
            nearest = (asked.rows @ passage.rows.T).max(axis=1)
            scores.append(min(max(float(weights @ nearest / weights.sum()), 0.0), 1.0))
        return scores
