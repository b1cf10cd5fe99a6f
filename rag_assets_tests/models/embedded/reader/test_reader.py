"""The reader quotes what answers, says where it stands, and knows when nothing answers."""

from __future__ import annotations

import dataclasses
import json
from itertools import pairwise

import numpy as np
import pytest

from rag_assets.models.embedded.encoder import get_encoder
from rag_assets.models.embedded.reader import MAX_QUOTE_WORDS, Passage, read, shipped_model
from rag_assets.models.embedded.reader.vectors import token_vectors, windows
from rag_assets_tests.corpora import corpus

HANDBOOK = [
    Passage(
        1,
        "Running the server",
        "# Running the server\n\nThe server reads its settings once. By default it listens on port 3000, and the port "
        "can be changed with `--port`.\n\n```bash\nserver --port 8080\n```\n\n- Logs go to standard error.\n",
        0.9,
    ),
    Passage(
        4,
        "Backups",
        "Backups are taken every night at 02:00. They are kept for 30 days because the law asks for it. Maria Lopez "
        "designed the procedure in 2019.",
        0.7,
    ),
]


@pytest.fixture(scope="module", params=["int8", "fp32"])
def encoder(request):
    return get_encoder(request.param)


@pytest.mark.parametrize(
    ("question", "n", "answer"),
    [
        ("Which port does the server listen on?", 1, "3000"),
        ("How long are backups kept?", 4, "30 days"),
        ("Who designed the backup procedure?", 4, "Maria Lopez"),
        ("Why are backups kept for a month?", 4, "because the law"),
        ("Where do the logs go?", 1, "standard error"),
    ],
)
def test_the_best_quote_has_the_answer_and_its_offsets_hold(encoder, question, n, answer):
    reading = read(question, HANDBOOK, encoder=encoder)
    best = reading.quotes[0]
    assert reading.answerable and best.n == n and answer in best.text
    by_number = {passage.n: passage for passage in HANDBOOK}
    assert all(by_number[quote.n].text[quote.start : quote.end] == quote.text for quote in reading.quotes)
    assert [quote.score for quote in reading.quotes] == sorted((q.score for q in reading.quotes), reverse=True)


@pytest.mark.parametrize(
    "question", ["What is the boiling point of mercury?", "Who won the chess championship in 1972?", "zxqv blorp?"]
)
def test_what_the_passages_do_not_say_is_not_answerable(encoder, question):
    reading = read(question, HANDBOOK, encoder=encoder)
    assert not reading.answerable and reading.confidence < shipped_model().threshold


@pytest.mark.parametrize("question", ["", " ", "?!", "\x00", "🙂", "'; DROP TABLE x; --", "(" * 500, "word " * 3000])
def test_hostile_questions_are_read_without_an_error(question):
    reading = read(question, HANDBOOK, encoder=get_encoder("int8"))
    assert 0 <= reading.confidence <= 1


@pytest.mark.parametrize("text", ["", " \n", "# Only a heading", "\x00", "---\n***", "🙂🙂", "|||", "```\n\n```"])
def test_passages_with_nothing_to_quote_are_read_without_an_error(text):
    reading = read("Which port?", [Passage(1, "", text)], encoder=get_encoder("int8"))
    assert not reading.answerable


def test_without_passages_there_is_no_quote():
    assert read("Which port?", [], encoder=get_encoder("int8")).quotes == ()


LONG = (
    "Although the committee, which met eleven times between the spring and the autumn, heard from engineers, lawyers "
    "and residents, and although it asked for three further reports, it decided only in December that the new bridge "
    "would be built by the Harbour Company for 90 million crowns, a sum that several members thought too high, and "
    "published its decision on the last working day of that year without a word of explanation."
)


def test_a_long_sentence_is_quoted_by_the_part_that_answers():
    passages = [Passage(1, "Bridge", LONG)]
    encoder = get_encoder("int8")
    part = read("How much would the new bridge cost?", passages, encoder=encoder).quotes[0]
    assert "90 million crowns" in part.text and len(part.text.split()) <= MAX_QUOTE_WORDS
    whole = read("How much would the new bridge cost?", passages, encoder=encoder, max_quote_words=None).quotes[0]
    assert whole.text == LONG and part.score == whole.score


def test_quotes_are_few_distinct_and_only_those_that_are_nearly_as_good():
    twins = [Passage(n, "", "The tower is 90 metres high. Its door is red.") for n in (1, 2)]
    encoder = get_encoder("int8")
    reading = read("How high is the tower?", twins, encoder=encoder)
    assert [quote.text for quote in reading.quotes] == ["The tower is 90 metres high."]
    several = [Passage(n, "", f"The {name} tower is {n}0 metres high.") for n, name in enumerate("ABCDEFGH", 1)]
    assert len(read("How high is the tower?", several, encoder=encoder, max_quotes=3).quotes) <= 3


def test_the_model_decides():
    model = shipped_model()
    never = dataclasses.replace(model, threshold=1.1)
    question = "Which port does the server listen on?"
    assert not read(question, HANDBOOK, encoder=get_encoder("int8"), model=never).answerable
    shortest = dataclasses.replace(model, sentence=dict.fromkeys(model.sentence, 0.0) | {"log_words": -50.0})
    reading = read(question, HANDBOOK, encoder=get_encoder("int8"), model=shortest)
    assert reading.quotes[0].text == "server --port 8080" or len(reading.quotes[0].text.split()) <= 5


def test_a_text_longer_than_the_encoder_reads_is_read_in_windows():
    encoder = get_encoder("int8")
    text = " ".join(f"Sentence number {n} speaks of internationalization." for n in range(120))
    spans = windows(encoder.tokenizer, text)
    assert spans[0][0] == 0 and spans[-1][1] == len(text)
    assert all(a[1] == b[0] for a, b in pairwise(spans))
    assert all(encoder.tokenizer.count(text[a:b]) <= 254 for a, b in spans)
    assert all(text[:a].rstrip().endswith(".") for a, _ in spans[1:])
    vectors = token_vectors(encoder, text)
    assert len(vectors.rows) == len(vectors.spans) == len(vectors.ids) == encoder.tokenizer.count(text)
    assert np.allclose(np.linalg.norm(vectors.rows, axis=1), 1, atol=1e-4)
    assert text[slice(*vectors.spans[-2])] and vectors.spans[-1][1] == len(text)


def test_one_word_without_end_is_read_in_windows():
    encoder = get_encoder("int8")
    for text in ("x" * 5000, "- " * 2000, "1" * 3000, "()" * 1500):
        assert all(encoder.tokenizer.count(text[a:b]) <= 256 for a, b in windows(encoder.tokenizer, text))


def test_questions_over_wikipedia_paragraphs_are_answered_as_measured():
    """A sample of what `bench/reader.py` measures: every paragraph with its own first question."""
    data = json.loads((corpus("xquad") / "xquad.en.json").read_text(encoding="utf-8"))["data"]
    paragraphs = [(article["title"], each) for article in data[:40] for each in article["paragraphs"][:1]]
    encoder = get_encoder("int8")
    hits, refused = [], []
    for number, (title, paragraph) in enumerate(paragraphs):
        asked = paragraph["qas"][0]
        passages = [Passage(1, title, paragraph["context"])]
        quote = read(asked["question"], passages, encoder=encoder).quotes[0]
        hits.append(any(answer["text"] in quote.text for answer in asked["answers"]))
        other_title, other = paragraphs[(number + 1) % len(paragraphs)]
        wrong = [Passage(1, other_title, other["context"])]
        refused.append(not read(asked["question"], wrong, encoder=encoder).answerable)
    assert np.mean(hits) >= 0.8 and np.mean(refused) >= 0.9


def test_a_line_that_repeats_the_title_is_never_quoted(encoder):
    text = "Rolling back a release\n\nServe the previous release with one command; nothing is computed or paid."
    passage = Passage(1, "Runbook > Rolling back a release", text, 0.9)
    reading = read("How do I roll back a release?", [passage], encoder=encoder)
    assert all(quote.text != "Rolling back a release" for quote in reading.quotes)
