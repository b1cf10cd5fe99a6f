"""The model that tells languages comes from the cache, and without one."""

import shutil

import pytest

from rag_assets.documents.parsing import language_model

TEXTS = {
    "en": "The quick brown fox jumps over the lazy dog, and nobody knows why it does so.",
    "de": "Der schnelle braune Fuchs springt über den faulen Hund, und niemand weiß, warum.",
    "ja": "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。",
}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def answers() -> dict[str, tuple[str, float]]:
    identifier = language_model.load_identifier()
    return {code: identifier.classify(text) for code, text in TEXTS.items()}


def test_the_cache_changes_no_answer(cache):
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    plain = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

    made, read = answers(), answers()

    assert made == read == {code: plain.classify(text) for code, text in TEXTS.items()}
    assert [label for label, _ in made.values()] == list(TEXTS)
    (folder,) = (cache / "rag_assets").iterdir()
    assert sorted(file.name for file in folder.iterdir()) == sorted(f"{part}.npy" for part in language_model.PARTS)


def test_without_a_usable_cache_the_process_unpacks_its_own(cache):
    (cache / "rag_assets").write_text("a file where the folder should be")
    no_folder = answers()
    (cache / "rag_assets").unlink()
    answers()
    (folder,) = (cache / "rag_assets").iterdir()
    (folder / "ptc.npy").write_bytes(b"cut short")

    damaged = answers()

    assert [label for label, _ in damaged.values()] == list(TEXTS)
    assert damaged == no_folder
    shutil.rmtree(folder)
