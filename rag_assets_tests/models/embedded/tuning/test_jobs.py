"""A job from its request to its model, over the real client; one job is shared by the tests that only look at it."""

from __future__ import annotations

import base64
import csv
import io
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import openai
import pytest
from openai.types.fine_tuning import FineTuningJob

from rag_assets.config import ChatSettings, ModelSettings
from rag_assets.errors import ModelNotFoundError
from rag_assets.models.chat import ChatModel, Message
from rag_assets.models.embedded.encoder import get_encoder
from rag_assets.models.embedded.prompt_format import parse_prompt
from rag_assets.models.embedded.reader import Passage, read
from rag_assets.models.embedded.reader.tuned import TunedReader
from rag_assets.models.embedded.tuning.examples import UnfitFileError, read_training_file
from rag_assets.models.embedded.tuning.parameters import parse_job_request
from rag_assets_tests.models.embedded.tuning.material import (
    finished,
    jsonl,
    messages,
    prompt,
    start,
    takers,
    upload,
)
from rag_assets_tests.models.embedded.wire_client import connect

BASE = "extractive-reader"


@dataclass(frozen=True)
class Trained:
    """A job that succeeded."""

    client: openai.OpenAI
    state_dir: Path
    created: FineTuningJob
    job: FineTuningJob

    @property
    def model(self) -> str:
        assert self.job.fine_tuned_model
        return self.job.fine_tuned_model


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    state_dir = tmp_path_factory.mktemp("trained") / "embedded"
    with connect(state_dir=state_dir) as client:
        created = start(client, suffix="my style", seed=7, metadata={"intent": "one"}, hyperparameters={"n_epochs": 4})
        yield Trained(client, state_dir, created, finished(state_dir, created.id))


@pytest.fixture
def own(trained: Trained, client: openai.OpenAI, state_dir: Path) -> Trained:
    """A copy of the state, to be changed."""
    shutil.copytree(trained.state_dir, state_dir)
    return Trained(client, state_dir, trained.created, trained.job)


def test_a_job_is_taken_at_once_and_ends_with_a_model(trained):
    created, job = trained.created, trained.job
    assert (created.status, created.fine_tuned_model, created.result_files) == ("validating_files", None, [])
    assert (created.finished_at, created.trained_tokens, created.error) == (None, None, None)
    assert (job.status, job.error, job.estimated_finish) == ("succeeded", None, None)
    assert (job.model, job.seed, job.metadata, job.object) == (BASE, 7, {"intent": "one"}, "fine_tuning.job")
    assert job.hyperparameters.to_dict() == {"n_epochs": 4, "batch_size": 8, "learning_rate_multiplier": 1.0}
    assert trained.model.startswith("ft:extractive-reader:rag-assets:my-style:")
    assert job.trained_tokens and job.finished_at and job.finished_at >= job.created_at
    assert takers(trained.state_dir, job.id) and len(takers(trained.state_dir, job.id)) == 1


def test_the_results_are_a_csv_in_base64_as_openai_serves_it(trained):
    [file_id] = trained.job.result_files
    assert trained.client.files.retrieve(file_id).purpose == "fine-tune-results"
    table = base64.b64decode(trained.client.files.content(file_id).text).decode()
    rows = list(csv.DictReader(io.StringIO(table)))
    assert list(rows[0]) == ["step", "train_loss", "train_accuracy", "valid_loss", "valid_mean_token_accuracy"]
    assert [int(row["step"]) for row in rows] == list(range(1, 9))  # 12 examples, 8 a step, 4 epochs
    assert all(float(row["valid_loss"]) > 0 and 0 <= float(row["train_accuracy"]) <= 1 for row in rows)


def test_events_tell_the_story_newest_first_and_in_pages(trained):
    events = list(trained.client.fine_tuning.jobs.list_events(trained.job.id, limit=3))  # the client turns the pages
    told = [event.message.partition(":")[0] for event in reversed(events)]
    assert told[:4] == [
        "Created fine-tuning job",
        "Validating training file",
        "Files validated, moving job to queued state",
        "Fine-tuning job started",
    ]
    assert told[-2:] == ["New fine-tuned model created", "The job has successfully completed"]
    metrics = [event.data for event in reversed(events) if event.type == "metrics"]
    assert [(data["step"], data["total_steps"]) for data in metrics] == [(n, 8) for n in range(1, 9)]
    assert metrics[0].keys() >= {"train_loss", "train_mean_token_accuracy", "valid_loss", "valid_mean_token_accuracy"}
    assert len({event.id for event in events}) == len(events)


def test_the_last_epochs_are_models_too(trained):
    kept = list(trained.client.fine_tuning.jobs.checkpoints.list(trained.job.id))
    assert [checkpoint.step_number for checkpoint in kept] == [8, 6, 4]
    assert kept[0].fine_tuned_model_checkpoint == f"{trained.model}:ckpt-step-8"
    assert kept[0].metrics.valid_loss is not None
    answers = {
        trained.client.chat.completions.create(
            model=checkpoint.fine_tuned_model_checkpoint, messages=messages(3)[:2]
        ).model
        for checkpoint in kept
    }
    assert len(answers) == 3
    assert len(trained.client.models.list().data) == 8


def test_the_tuned_model_answers_by_its_own_weights(trained):
    folder = trained.state_dir / "models" / trained.model.rpartition(":")[2]
    asked = parse_prompt(prompt(3))
    passages = [Passage(each.n, each.title, each.text) for each in asked.passages]
    reading = read(asked.question, passages, encoder=get_encoder(), model=TunedReader.load(folder))
    quotes = {}
    for model in (trained.model, BASE):
        answer = trained.client.chat.completions.create(model=model, messages=messages(3)[:2])
        assert answer.model == model
        quotes[model] = answer.choices[0].message.model_extra["rag_assets"]["quotes"]
    assert [quote["score"] for quote in quotes[trained.model]] == [quote.score for quote in reading.quotes]
    red = {model: next(one["score"] for one in given if "red" in one["text"]) for model, given in quotes.items()}
    assert red[trained.model] > red[BASE]  # which is what it was taught


def test_a_project_answers_by_the_model_that_its_settings_name(own):
    settings = ModelSettings(chat=ChatSettings(model=own.model)).keeping_state_in(own.state_dir)
    asked: list[Message] = [{"role": "user", "content": prompt(3)}]
    with ChatModel(settings) as chat:
        answer = chat.complete(asked)
        assert (answer.model, answer.cost_usd, answer.estimated) == (own.model, 0.0, False)
        assert "".join(chat.stream(asked)) == answer.text
        own.client.models.delete(own.model)
        with pytest.raises(ModelNotFoundError, match="no model `ft:"):
            chat.complete(asked)


def test_what_only_the_training_needs_does_not_stay(trained):
    folder = trained.state_dir / "jobs" / trained.job.id
    assert {file.name for file in folder.iterdir()} == {"lock", "training.log"}


def test_jobs_are_listed_newest_first_by_page_and_by_metadata(client, state_dir):
    file_id = upload(client, jsonl(range(3)))  # too few: these jobs fail as soon as they are looked at
    named = {"metadata": {"intent": "a b=c&d", "set": "x"}}
    ids = [
        client.fine_tuning.jobs.create(model=BASE, training_file=file_id, **settings).id
        for settings in (named, {}, {"metadata": {"intent": "other"}})
    ]
    assert len(set(ids)) == 3
    for job_id in ids:
        assert finished(state_dir, job_id).status == "failed"
    page = client.fine_tuning.jobs.list(limit=2)
    assert ([job.id for job in page.data], page.has_more) == (ids[:0:-1], True)
    assert [job.id for job in page] == ids[::-1]
    assert [job.id for job in client.fine_tuning.jobs.list(metadata={"intent": "a b=c&d"})] == [ids[0]]
    assert list(client.fine_tuning.jobs.list(metadata={"intent": "a b=c&d", "set": "y"})) == []
    for query in ({"limit": 0}, {"limit": 101}):
        with pytest.raises(openai.BadRequestError, match="limit"):
            client.fine_tuning.jobs.list(**query)
    assert client.fine_tuning.jobs.list(after=ids[0]).data == []


def test_a_job_that_is_not_there_is_not_found(client):
    jobs = client.fine_tuning.jobs
    for ask in (jobs.retrieve, jobs.cancel, jobs.list_events, jobs.checkpoints.list):
        with pytest.raises(openai.NotFoundError) as caught:
            ask("ftjob-nobody")
        assert caught.value.code == "fine_tune_not_found"


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"model": "all-MiniLM-L6-v2"}, "model"),
        ({"model": "ft:extractive-reader:rag-assets::abcd1234"}, "model"),
        ({"model": None}, "model"),
        ({"training_file": "file-nobody"}, "training_file"),
        ({"validation_file": "file-nobody"}, "validation_file"),
        ({"hyperparameters": {"n_epochs": 0}}, "hyperparameters"),
        ({"hyperparameters": {"n_epochs": "many"}}, "hyperparameters"),
        ({"hyperparameters": {"epochs": 3}}, "hyperparameters"),
        ({"method": {"type": "dpo"}}, "method"),
        ({"method": {"type": "supervised", "supervised": {"hyperparameters": {"beta": 1}}}}, "method"),
        ({"method": {"type": "supervised"}, "hyperparameters": {"n_epochs": 3}}, "hyperparameters"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"suffix": "x" * 65}, "suffix"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"metadata": {str(n): "" for n in range(17)}}, "metadata"),
        ({"integrations": [{"type": "wandb"}]}, "integrations"),
        ({"classification_n_classes": 2}, "classification_n_classes"),
    ],
)
def test_a_request_that_cannot_be_met_names_its_parameter_and_makes_no_job(client, changes, param):
    body = {"model": BASE, "training_file": upload(client, jsonl(range(12)))} | changes
    with pytest.raises(openai.BadRequestError) as caught:
        client.post("/fine_tuning/jobs", body=body, cast_to=object)
    assert caught.value.param == param
    assert client.fine_tuning.jobs.list().data == []


def test_hyperparameters_may_come_by_either_name_or_be_left_to_the_trainer():
    given = {"n_epochs": 2, "batch_size": 4, "learning_rate_multiplier": 0.5}
    method = {"type": "supervised", "supervised": {"hyperparameters": given}}
    auto = {"n_epochs": "auto", "batch_size": "auto"}
    by_method, by_name, by_auto, by_none = (
        parse_job_request({"model": BASE, "training_file": "file-a", **settings}).hyperparameters
        for settings in ({"method": method}, {"hyperparameters": given}, {"hyperparameters": auto}, {})
    )
    assert by_method == by_name == given
    assert by_auto == by_none == {"n_epochs": 20, "batch_size": 8, "learning_rate_multiplier": 1.0}


CLOSED = b'{"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]}\n'
WEIGHTLESS = json.dumps({"messages": [*messages(1)[:2], messages(1)[2] | {"weight": 0}]}).encode()


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (jsonl(range(9)), "invalid_n_examples", "9 example(s), but must have at least 10"),
        (
            jsonl(range(12)) + b"{\n",
            "invalid_training_file",
            "1 of 13 examples of the training file are invalid: line 13",
        ),
        (jsonl(range(11)) + CLOSED, "invalid_training_file", "line 12: "),
        (
            b"\xff\n[]\n{}\n" + jsonl(range(12)),
            "invalid_training_file",
            "line 1: it is not JSON; line 2: it is not an o",
        ),
        (CLOSED * 20, "invalid_training_file", "and 15 more"),
        (WEIGHTLESS, "invalid_training_file", "line 1: its last message has the weight 0"),
    ],
)
def test_the_lines_are_named_that_nothing_can_be_learnt_from(tmp_path, content, code, said):
    (tmp_path / "train.jsonl").write_bytes(content)
    with pytest.raises(UnfitFileError) as caught:
        read_training_file(tmp_path / "train.jsonl")
    assert (caught.value.code, caught.value.param) == (code, "training_file")
    assert said in caught.value.message


def test_an_unfit_file_fails_its_job(client, state_dir):
    file_id = upload(client, jsonl(range(11)) + CLOSED)
    job = finished(state_dir, client.fine_tuning.jobs.create(model=BASE, training_file=file_id).id)
    assert (job.status, job.fine_tuned_model, job.result_files) == ("failed", None, [])
    assert job.error is not None and job.finished_at is not None
    assert (job.error.code, job.error.param) == ("invalid_training_file", "training_file")
    assert "line 12: " in job.error.message
    [last] = client.fine_tuning.jobs.list_events(job.id, limit=1).data
    assert (last.level, last.message) == ("error", job.error.message)
    with pytest.raises(openai.BadRequestError, match="failed"):
        client.fine_tuning.jobs.cancel(job.id)


def test_a_tuned_model_can_be_tuned_further(own):
    file_id = upload(own.client, jsonl(range(12)))
    settings = {"training_file": file_id, "hyperparameters": {"n_epochs": 1}}
    job = finished(own.state_dir, own.client.fine_tuning.jobs.create(model=own.model, **settings).id)
    assert (job.status, job.model) == ("succeeded", own.model)
    assert weights_of(own, job.fine_tuned_model).read_bytes() != weights_of(own, own.model).read_bytes()


def test_a_model_that_is_deleted_answers_nobody_from_then_on(own):
    client, asked = own.client, {"model": own.model, "messages": messages(1)[:2]}
    client.chat.completions.create(**asked)
    assert client.models.retrieve(own.model).owned_by == "rag-assets"
    with connect(state_dir=own.state_dir) as another:
        assert another.models.delete(own.model).deleted is True
    asks: list[Callable[[], object]] = [
        lambda: client.chat.completions.create(**asked),
        lambda: client.chat.completions.create(**asked | {"model": f"{own.model}:ckpt-step-8"}),
        lambda: client.models.retrieve(own.model),
        lambda: client.models.delete(own.model),
    ]
    for ask in asks:
        with pytest.raises(openai.NotFoundError) as caught:
            ask()
        assert caught.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError, match="cannot be fine-tuned"):
        start(client, model=own.model)
    assert list((own.state_dir / "models").iterdir()) == []


def test_a_model_whose_files_were_changed_does_not_answer(own):
    asked = {"model": own.model, "messages": messages(1)[:2]}
    own.client.chat.completions.create(**asked)
    weights = weights_of(own, own.model)
    weights.write_text(weights.read_text().replace("1", "2"))
    with pytest.raises(openai.InternalServerError, match="not the file that was written"):
        own.client.chat.completions.create(**asked)


def weights_of(trained: Trained, model: str | None) -> Path:
    assert model
    return trained.state_dir / "models" / model.rpartition(":")[2] / "scoring.json"
