"""What an estimate says is what the run then does; and it leaves everything as it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rag_assets.config_file import load_settings
from rag_assets.errors import ConfigurationError, UnknownSourceError
from rag_assets.estimating.estimate import estimate
from rag_assets.estimating.model import Estimate
from rag_assets.ingestion import sync_chunks, sync_embeddings, sync_raw_documents
from rag_assets.ingestion.results import ChunksResult, EmbeddingsResult, RawDocumentsResult
from rag_assets.models.usage import UsageMeter
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.releasing import stages

SHARED = "# Shared\n\nEvery kitchen has a drawer, and every drawer has a spoon.\n"
LONG = "".join(f"## Step {n}\n\n" + f"Stir the soup {n} times, then wait for the bell to ring. " * 9 for n in range(9))


@pytest.fixture
def kitchen(small_project: SmallProject) -> SmallProject:
    """Two sources that share a document's text; not ingested yet."""
    small_project.configure(cellar="", kitchen="")
    small_project.write("cellar/shared.md", SHARED)
    small_project.write("kitchen/shared.md", SHARED)
    small_project.write("kitchen/soup.md", f"# Soup\n\n{LONG}")
    for n in range(3):
        small_project.write(f"kitchen/note{n}.md", f"# Note {n}\n\nThe ladle of number {n} is made of tin.\n")
    return small_project


def of(project: SmallProject, *changes: str, **options: object) -> Estimate:
    return estimate(load_settings(project.config_file), changes, **options)  # type: ignore[arg-type]


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file with its size and time."""
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }


Ran = tuple[RawDocumentsResult, ChunksResult, EmbeddingsResult]


def run(project: SmallProject) -> Iterator[Ran]:
    """The stages up to the embeddings, source by source; results as they tell them."""
    with project.open() as opened:
        generation, ledger = opened.generation, opened.ledger
        for name in opened.source_names:
            meter = UsageMeter([])
            raw, chunks = opened.store.raw_documents(name), opened.store.chunks(name)
            documents = sync_raw_documents(
                name, opened.settings.source(name), connector=opened.connector(name), table=raw, ledger=ledger
            )
            with opened.embedder(meter) as embedder:
                cut = sync_chunks(
                    name,
                    raw_documents=raw,
                    chunks=chunks,
                    generation=generation,
                    tokenizer=embedder.tokenizer,
                    max_input_tokens=embedder.max_input_tokens,
                    ledger=ledger,
                )
                vectors = opened.store.embeddings(generation.space.name, generation.space.dimension)
                made = sync_embeddings(
                    name,
                    chunks=chunks,
                    embeddings=vectors,
                    embedder=embedder,
                    meter=meter,
                    ledger=ledger,
                    spool_dir=opened.spool_dir,
                )
            yield documents, cut, made


def holds_for(found: Estimate, project: SmallProject) -> None:
    """Runs the stages and compares what they did with what was said."""
    for said, (documents, chunks, embedded) in zip(found.sources.values(), run(project), strict=True):
        assert (said.documents.add, said.documents.change, said.documents.remove) == (
            documents.added,
            documents.changed,
            documents.removed,
        )
        assert (said.documents.unchanged, said.documents.failing) == (documents.unchanged, documents.failed)
        assert (said.chunks.add, said.chunks.remove, said.chunks.keep) == (
            chunks.added,
            chunks.removed,
            chunks.unchanged,
        )
        assert said.tokens == chunks.tokens
        assert (said.texts_to_embed, said.tokens_to_embed) == (embedded.embedded, embedded.tokens)
        assert (said.requests, said.cost_usd) == (embedded.requests, embedded.cost_usd)
        assert said.opened == documents.opened


def test_before_the_first_run_it_says_what_that_does_and_makes_no_file(kitchen: SmallProject) -> None:
    before = tree(kitchen.root)
    found = of(kitchen)
    assert tree(kitchen.root) == before
    assert not (kitchen.root / ".rag_assets").exists()
    assert found.exact and found.generation.new and found.generation.serving is None
    assert found.sources["cellar"].texts_to_embed == 1
    assert found.sources["kitchen"].texts_to_embed < found.sources["kitchen"].chunks.add  # one is the cellar's
    assert kitchen.embedded_texts() == 0
    holds_for(found, kitchen)


def test_edits_additions_removals_touches_and_broken_files(kitchen: SmallProject) -> None:
    stages.refresh(kitchen)
    kitchen.write("kitchen/soup.md", f"# Soup\n\n{LONG}\n\nServe it hot, with a leaf of parsley.\n")
    kitchen.write("kitchen/new.md", "# New\n\nA whisk was bought.\n")
    kitchen.write("kitchen/broken.pdf", b"%PDF-1.4 nothing")
    kitchen.write("kitchen/note0.md", (kitchen.root / "kitchen/note0.md").read_bytes())
    (kitchen.root / "kitchen/note1.md").unlink()
    before, paid = tree(kitchen.root), kitchen.embedded_texts()
    found = of(kitchen)
    assert (tree(kitchen.root), kitchen.embedded_texts()) == (before, paid)
    counts = found.sources["kitchen"].documents
    assert (counts.add, counts.change, counts.remove, counts.failing) == (1, 1, 1, 1)
    assert found.sources["kitchen"].chunks.keep > 3  # of the soup, and of what did not change
    holds_for(found, kitchen)
    again = of(kitchen)
    assert (again.total.texts_to_embed, again.total.chunks.add, again.total.cost_usd) == (0, 0, 0.0)
    assert (again.total.documents.failing, again.total.opened) == (1, 0)  # what failed waits until it changes
    holds_for(again, kitchen)
    assert again.generation.serving == again.generation.generation


def test_a_change_of_the_chunker_is_counted_from_what_is_stored(kitchen: SmallProject) -> None:
    stages.refresh(kitchen)
    before = kitchen.lance_versions()
    found = of(kitchen, "chunking.max_tokens=64")
    assert kitchen.lance_versions() == before
    assert found.generation.changed == ("chunking.max_tokens 240 → 64",)
    assert found.generation.new and found.generation.serving not in (None, found.generation.generation)
    assert (found.total.opened, found.total.documents.unchanged) == (0, 6)
    assert found.total.texts_to_embed > 9
    kitchen.configure("chunking: {max_tokens: 64}", cellar="", kitchen="")
    assert of(kitchen).total == found.total
    holds_for(found, kitchen)


def test_a_change_of_the_model_is_counted_with_its_own_tokenizer_and_price(kitchen: SmallProject) -> None:
    stages.refresh(kitchen)
    model = ("models.embedding.provider=openai", "models.embedding.model=text-embedding-3-small")
    found = of(kitchen, *model)
    with kitchen.open() as opened:
        texts = {
            text
            for name in opened.source_names
            for text in opened.store.chunks(name).rows(columns=["input_text"])["input_text"].to_pylist()
        }
    assert found.total.texts_to_embed == len(texts)  # these are short enough to be cut alike
    assert found.total.cost_usd == pytest.approx(found.total.tokens_to_embed * 0.02 / 1e6)
    assert [one.partition(" ")[0] for one in found.generation.changed] == [
        "tokenizer",
        "embedding",
        "embedding",
        "embedding",
    ]
    unknown = [
        "models.embedding.model=mine",
        "models.embedding.dimension=8",
        "models.embedding.max_input_tokens=512",
        "models.embedding.tokenizer=cl100k_base",
    ]
    priceless = of(kitchen, model[0], *unknown)
    assert priceless.total.tokens_to_embed == found.total.tokens_to_embed
    assert (priceless.total.cost_usd, priceless.cost_usd) == (None, None)
    assert of(kitchen, model[0], *unknown, "models.prices.mine.input_usd=2").cost_usd == pytest.approx(
        2e-6 * found.total.tokens_to_embed
    )


def test_limits_that_a_run_would_meet(kitchen: SmallProject) -> None:
    stages.refresh(kitchen)
    found = of(kitchen, "sources.kitchen.token_budget=100")
    assert [one.partition(" tokens ")[2] for one in found.limits] == ["exceed the token_budget of 100"]
    for name in ("soup", "note0", "note1"):
        (kitchen.root / f"kitchen/{name}.md").unlink()
    found = of(kitchen)
    assert found.limits == ("kitchen: held: 3 of 5 documents are gone at once (max_removed_fraction: 50%)",)
    held = found.sources["kitchen"]
    assert (held.documents.held, held.documents.remove, held.chunks.remove) == (3, 0, 0)
    with kitchen.open() as opened:
        assert opened.ledger.holds() == []
    assert of(kitchen, "sources.kitchen.max_removed_fraction=0.8").sources["kitchen"].documents.remove == 3


def test_only_some_sources(kitchen: SmallProject) -> None:
    found = of(kitchen, sources=["cellar"])
    assert (list(found.sources), found.total.documents.add) == (["cellar"], 1)
    with pytest.raises(UnknownSourceError, match="There is no source named 'attic'"):
        of(kitchen, sources=["attic"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("chunking.max_tokens", "is not a change of a setting"),
        ("chunking.max_token=3", "the key 'chunking.max_token' is not known"),
        ("chunking.max_tokens=many", "the change chunking.max_tokens=many"),
        ("chunking.max_tokens=500", "all-MiniLM-L6-v2 reads at most 256"),
    ],
)
def test_a_change_is_checked_like_the_configuration(kitchen: SmallProject, change: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        of(kitchen, change)


def test_a_source_that_cannot_be_listed_leaves_the_others(kitchen: SmallProject) -> None:
    stages.refresh(kitchen)
    (kitchen.root / "cellar").rename(kitchen.root / "attic")
    found = of(kitchen)
    assert found.sources["kitchen"].problem is None
    gone = found.sources["cellar"]
    assert "does not exist" in str(gone.problem)
    assert (gone.documents.remove, gone.documents.unchanged, gone.chunks.keep) == (0, 1, 1)


def test_a_sample_says_so_and_its_interval_holds_the_truth(small_project: SmallProject) -> None:
    small_project.configure(wiki="")
    for n in range(160):
        small_project.write(f"wiki/{n}.md", f"# Page {n}\n\n" + f"Line {n} of the wiki is here. " * (3 + n * 7 % 50))
    exact = of(small_project)
    found = of(small_project, sample=40)
    assert not found.exact and exact.exact
    assert (found.total.sampled_documents, found.total.due_documents, found.total.opened) == (40, 160, 40)
    assert found.total.documents == exact.total.documents
    low, high = found.total.intervals["tokens_to_embed"]
    assert low <= exact.total.tokens_to_embed <= high
    assert high - low < exact.total.tokens_to_embed / 5
    assert of(small_project, sample=40).total == found.total
    assert of(small_project, sample=160).total == exact.total


@pytest.mark.slow
def test_a_few_documents_to_open_among_many_to_cut_are_all_looked_at(small_project: SmallProject) -> None:
    """One of several alone would say nothing of how they differ, and its interval would have no width."""
    small_project.configure(wiki="")
    for n in range(80):
        small_project.write(f"wiki/{n}.md", f"# Page {n}\n\n" + f"Line {n} of the wiki is here. " * (3 + n * 7 % 50))
    stages.refresh(small_project)
    for n in range(4):
        small_project.write(f"wiki/new{n}.md", f"# New {n}\n\n" + f"Line {n} of what is new is here. " * (5 + 90 * n))
    change = "chunking.max_tokens=100"
    exact, found = of(small_project, change), of(small_project, change, sample=30)
    assert not found.exact and found.total.opened == 4
    low, high = found.total.intervals["tokens_to_embed"]
    assert low <= exact.total.tokens_to_embed <= high
