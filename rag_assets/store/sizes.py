"""The sizes of a table from which on it is searched in another way. Below them every row counts exactly."""

from __future__ import annotations

VECTOR_INDEX_ROWS = 50_000
"""From here on there is a vector index. Below, a scan of all vectors takes about 15 ms, and it is exact."""
TITLES_ADDED_ROWS = 50_000
"""From here on full text search takes the best rows by their body and adds the score of their titles.

LanceDB finds the best rows of one column without scoring all that match, and those of a sum of two columns only by
scoring each of them: 200 ms of a core among a million rows, where the first takes 20, and 30 with the titles. Of the 10
best by the sum it finds .967 (100 candidates, questions of six words).
"""
