"""What the reader remembers."""

from __future__ import annotations

from rag_assets.models.embedded.reader.memory import Remembered


def test_a_value_is_computed_once_while_it_is_remembered() -> None:
    computed: list[str] = []

    def double(key: str) -> str:
        computed.append(key)
        return key * 2

    memory = Remembered[str](8, len)
    assert [memory.get(key, double) for key in ("ab", "cd", "ab")] == ["abab", "cdcd", "abab"]
    assert computed == ["ab", "cd"]
    memory.get("ef", double)  # over the budget: what was not used for longest goes
    assert [memory.get(key, double) for key in ("ab", "cd")] == ["abab", "cdcd"]
    assert computed == ["ab", "cd", "ef", "cd"]


def test_what_is_over_the_budget_alone_is_returned_and_not_kept() -> None:
    computed: list[str] = []
    memory = Remembered[str](3, len)
    for _ in range(2):
        assert memory.get("long", lambda key: computed.append(key) or key) == "long"  # type: ignore[func-returns-value]
    assert computed == ["long", "long"]
