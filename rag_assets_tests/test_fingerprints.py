from __future__ import annotations

import hashlib
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rag_assets.fingerprints import ID_LENGTH, chunk_id, data_version, document_id, fingerprint, sha256_hex

TEXT = st.text(max_size=20)
IDS = st.text(alphabet="0123456789abcdef", min_size=1, max_size=8)
ROWS = st.lists(st.tuples(IDS, IDS), max_size=20)
VALUES = st.recursive(st.none() | st.booleans() | st.integers() | TEXT, lambda inner: st.lists(inner, max_size=3))


@given(ROWS, st.randoms(use_true_random=False))
def test_a_data_version_does_not_depend_on_the_order_of_rows(rows: list[tuple[str, str]], chance: random.Random):
    shuffled = list(rows)
    chance.shuffle(shuffled)
    assert data_version(iter(shuffled), "configuration") == data_version(rows, "configuration")


@given(ROWS, ROWS)
def test_other_rows_give_another_data_version(some: list[tuple[str, str]], other: list[tuple[str, str]]):
    assert (data_version(some, "c") == data_version(other, "c")) == (sorted(some) == sorted(other))


@given(ROWS, TEXT, TEXT)
def test_another_configuration_gives_another_data_version(rows: list[tuple[str, str]], one: str, two: str):
    assume(one != two and not any("\0" in text for text in (one, two)))
    assert data_version(rows, one) != data_version(rows, two)


@given(st.dictionaries(st.text(alphabet="abcdef", min_size=1, max_size=5), VALUES, max_size=5))
def test_a_fingerprint_does_not_depend_on_the_order_of_names(parts: dict[str, object]):
    backwards = dict(reversed(parts.items()))
    assert fingerprint(**parts) == fingerprint(**backwards)
    assert len(fingerprint(**parts)) == ID_LENGTH


@given(VALUES, VALUES)
def test_another_value_gives_another_fingerprint(one: object, two: object):
    assume(repr(one) != repr(two))
    assert fingerprint(value=one) != fingerprint(value=two)


def test_a_fingerprint_refuses_what_has_no_one_form():
    with pytest.raises(TypeError):
        fingerprint(value=object())


@given(st.text(alphabet=st.characters(exclude_characters="\0"), max_size=10), TEXT, TEXT)
def test_ids_tell_documents_apart(source: str, one: str, two: str):
    assert (document_id(source, one) == document_id(source, two)) == (one == two)


def test_a_source_and_a_uri_do_not_run_together():
    assert document_id("a", "b/c") != document_id("a/b", "c")
    assert document_id("ab", "c") != document_id("a", "bc")


def test_equal_chunks_of_one_document_have_ids_of_their_own():
    ids = {chunk_id(document_id("s", "a.md"), sha256_hex("text"), occurrence) for occurrence in range(3)}
    ids.add(chunk_id(document_id("s", "b.md"), sha256_hex("text"), 0))
    assert len(ids) == 4
    assert all(len(each) == ID_LENGTH for each in ids)


def test_ids_are_the_same_in_every_release():
    # Stored tables hold these values: a change here would make every row look new.
    assert document_id("handbook", "a.md") == hashlib.sha256(b"handbook\0a.md").hexdigest()[:32]
    assert sha256_hex("é") == sha256_hex("é".encode()) == hashlib.sha256(b"\xc3\xa9").hexdigest()
    assert fingerprint(b=1, a="x") == hashlib.sha256(b'{"a":"x","b":1}').hexdigest()[:32]
    expected = hashlib.sha256(b"c\0a\x001\0b\x002").hexdigest()[:32]
    assert data_version([("b", "2"), ("a", "1")], "c") == expected


def test_text_with_a_lone_surrogate_has_a_hash():
    assert sha256_hex("\ud800") != sha256_hex("?")
