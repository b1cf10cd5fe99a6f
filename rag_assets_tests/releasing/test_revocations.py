"""A revocation holds at once, whatever serves, and leaves the list when nothing could bring it back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from rag_assets.ledger import Denied
from rag_assets.releasing import end_unneeded_revocations, prune, roll_back
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.releasing.stages import candidate, found_texts, ingest, refresh

NOTHING = Denied(frozenset(), frozenset())
COAL = "# Coal\n\nAnthracite burns at nine hundred degrees.\n"


@pytest.fixture
def cellar(small_project: SmallProject, brew: Callable[[str], str]) -> SmallProject:
    """Two sources, released: tea in the wiki, coal in the cellar."""
    small_project.configure(wiki="", cellar="")
    small_project.write("cellar/coal.md", COAL)
    small_project.write("cellar/wood.md", "# Wood\n\nOak is dried for two years.\n")
    brew("eighty")
    return small_project


def denied(project: SmallProject) -> Denied:
    with project.open() as opened:
        return opened.ledger.denied()


def prune_all(project: SmallProject) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Prunes to what always stays; what left the deny-list."""
    with project.open() as opened:
        result = prune(opened.store, opened.ledger, keep=1, keep_days=0, now=datetime.now(UTC) + timedelta(days=2))
    return result.documents, result.sources


def finds_coal(project: SmallProject, *groups: str) -> bool:
    return any("Anthracite" in text for text in found_texts(project, "anthracite", *groups))


def go_back(project: SmallProject, to: str) -> None:
    with project.open() as opened:
        roll_back(opened.store, opened.ledger, sources=opened.source_names, to=to, by="a test", reason="a test")


def test_the_life_of_a_revocation(cellar: SmallProject, brew: Callable[[str], str]) -> None:
    assert finds_coal(cellar)
    (cellar.root / "cellar/coal.md").unlink()
    with cellar.open() as opened:
        first = opened.release().release_id
        ingest(opened, "cellar")
        (document,) = opened.ledger.denied().documents
    assert not finds_coal(cellar)  # at once: the release that serves still holds it
    assert prune_all(cellar) == ((), ())
    second = refresh(cellar)
    assert second != first
    assert prune_all(cellar) == ((), ())  # a rollback would go to the first
    assert denied(cellar).documents == {document}
    go_back(cellar, first)
    assert not finds_coal(cellar)
    go_back(cellar, second)
    brew("ninety")
    brew("seventy")
    assert prune_all(cellar) == ((document,), ())
    assert denied(cellar) == NOTHING
    assert not finds_coal(cellar)


def test_what_comes_back_is_found_again_and_its_former_version_stays_denied(cellar: SmallProject) -> None:
    with cellar.open() as opened:
        first = opened.release().release_id
    (cellar.root / "cellar/coal.md").unlink()
    refresh(cellar)
    cellar.write("cellar/coal.md", "# Coal\n\nWhat is burnt here is withheld.\n")
    with cellar.open() as opened:
        ingest(opened, "cellar")
    assert not finds_coal(cellar)
    third = refresh(cellar)
    assert denied(cellar) == NOTHING
    assert any("withheld" in text for text in found_texts(cellar, "burnt coal"))
    go_back(cellar, first)
    assert not finds_coal(cellar)
    assert prune_all(cellar) == ((), ())
    go_back(cellar, third)
    assert any("withheld" in text for text in found_texts(cellar, "burnt coal"))


def test_a_source_that_is_removed_and_let_go(cellar: SmallProject, brew: Callable[[str], str]) -> None:
    cellar.configure(wiki="")
    with cellar.open() as opened:
        opened.forget_source("cellar")
    assert not finds_coal(cellar)
    assert denied(cellar).sources == {"cellar"}
    refresh(cellar)
    assert denied(cellar).sources == {"cellar"}
    brew("ninety")
    brew("seventy")
    documents, sources = prune_all(cellar)
    assert (len(documents), sources) == (2, ("cellar",))
    assert denied(cellar) == NOTHING


def test_the_list_is_emptied_without_pruning_once_no_version_holds_the_document(
    cellar: SmallProject, brew: Callable[[str], str]
) -> None:
    cellar.write("cellar/draft.md", "# Draft\n\nNever released.\n")
    with cellar.open() as opened:
        ingest(opened, "cellar")
    (cellar.root / "cellar/draft.md").unlink()
    with cellar.open() as opened:
        ingest(opened, "cellar")
        assert len(opened.ledger.denied().documents) == 1
        ended = end_unneeded_revocations(opened.store, opened.ledger)
        assert len(ended.documents) == 1
        assert opened.ledger.denied() == NOTHING
        assert end_unneeded_revocations(opened.store, opened.ledger).documents == {}


def test_what_is_revoked_again_while_the_list_is_looked_through_stays_on_it(cellar: SmallProject) -> None:
    with cellar.open() as opened:
        ledger = opened.ledger
        ledger.deny_documents("cellar", [("d1", "coal.md"), ("d2", "peat.md")], "removed")
        ledger.deny_source("attic")
        seen = ledger.denials()
        ledger.deny_documents("cellar", [("d1", "coal.md")], "removed again")
        ledger.deny_source("attic")
        ledger.withdraw(seen)
        assert ledger.denied() == Denied(frozenset({"d1"}), frozenset({"attic"}))


def test_narrowed_access_holds_at_the_next_question_whatever_serves(cellar: SmallProject) -> None:
    with cellar.open() as opened:
        first = opened.release().release_id
    assert finds_coal(cellar)
    cellar.configure(wiki="", cellar="allowed_groups: [stokers]")
    assert not finds_coal(cellar)
    assert not finds_coal(cellar, "cooks")
    assert finds_coal(cellar, "stokers")
    with cellar.open() as opened:
        answer = opened.ask("How hot does anthracite burn?")
        assert not answer.answerable
        assert opened.ask("How hot does anthracite burn?", groups=["stokers"]).answerable
    second = refresh(cellar)
    assert second != first
    assert not finds_coal(cellar)
    go_back(cellar, first)
    assert not finds_coal(cellar)
    assert finds_coal(cellar, "stokers")


def test_a_document_that_a_candidate_holds_stays_denied(cellar: SmallProject) -> None:
    cellar.write("cellar/peat.md", "# Peat\n\nPeat burns badly.\n")
    with cellar.open() as opened:
        ingest(opened, "cellar")
        content = candidate(opened, good=False)
    (cellar.root / "cellar/peat.md").unlink()
    with cellar.open() as opened:
        ingest(opened, "cellar")
        assert prune_all(cellar) == ((), ())
        assert len(opened.ledger.denied().documents) == 1
    refresh(cellar)
    with cellar.open() as opened:
        assert opened.ledger.snapshot(content.snapshot.snapshot_id) is not None
        prune_all(cellar)
        assert opened.ledger.denied() == NOTHING
