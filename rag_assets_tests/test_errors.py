from __future__ import annotations

import pickle
import re

import pytest

from rag_assets import errors
from rag_assets.errors import RagAssetsError

KINDS = sorted(
    (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, RagAssetsError)),
    key=lambda kind: kind.__name__,
)


def test_the_tree_in_the_documentation_is_the_tree():
    assert errors.__doc__ is not None
    drawn = re.findall(r"^(?: {4})?([│ ]*)(?:[├└]── )?(\w+Error)\b", errors.__doc__, re.MULTILINE)
    assert {name for _, name in drawn} == {kind.__name__ for kind in KINDS}
    parents: list[str] = []
    for bar, name in drawn:
        depth = 0 if name == "RagAssetsError" else len(bar) // 4 + 1
        kind = getattr(errors, name)
        if depth:
            assert kind.__base__.__name__ == parents[depth - 1]
        parents[depth:] = [name]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_survives_a_process_boundary(kind: type[RagAssetsError]):
    error = pickle.loads(pickle.dumps(kind("What was wrong.", fix="What to do.")))
    assert type(error) is kind
    assert (error.problem, error.fix, str(error)) == (
        "What was wrong.",
        "What to do.",
        "What was wrong. What to do.",
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_documented(kind: type[RagAssetsError]):
    assert kind.__doc__


def test_an_error_without_a_fix_is_its_problem():
    assert str(RagAssetsError("What was wrong.")) == "What was wrong."
