"""Pseudo-relevance feedback: the question's vector is moved towards the passages that answer it best so far.

Rocchio's method (Salton, "The SMART retrieval system", 1971, chapter 14) without its negative part. The passages weigh
by how near their score is to the best one's: where one passage stands out, as for a question that asks for a fact, it
alone is followed and stays first; where many are about as good, as for a topic, their common direction is.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rag_assets.store.fusion import ranked

PASSAGES = 5
TEMPERATURE = 0.02
"""Difference of fused scores at which a passage's weight falls to 1/e of the best one's."""


def feedback_vector(
    query: np.ndarray, vectors: Mapping[str, np.ndarray], scores: Mapping[str, float], *, weight: float
) -> np.ndarray:
    """The unit vector of (1 - `weight`) × `query` + `weight` × the weighted mean of the best passages' unit vectors.

    `scores` has at least one id, and `vectors` has all of its ids.
    """
    best = ranked(scores)[:PASSAGES]
    shares = np.exp([(scores[chunk_id] - scores[best[0]]) / TEMPERATURE for chunk_id in best])
    centre = (shares / shares.sum()) @ np.stack([vectors[chunk_id] for chunk_id in best])
    moved = (1.0 - weight) * query + weight * centre
    length = float(np.linalg.norm(moved))
    # Opposite vectors can cancel out; the question then stays where it was.
    return np.asarray(moved / length, dtype=np.float32) if length > 1e-6 else query
