"""What becomes of a challenger: promoted by a comparison that it wins, and by nothing less."""

from __future__ import annotations

import pytest

from rag_assets.cli.model_rows import model_rows
from rag_assets.errors import GateError, ModelNotFoundError, ProviderUnavailableError, TuningError
from rag_assets.evaluation.evaluate import evaluate, measured_id
from rag_assets.evaluation.question_table import sync_questions
from rag_assets.evaluation.review import gate_questions
from rag_assets.releasing import ReleaseContent
from rag_assets.tuning import comparison, registry
from rag_assets.tuning.by_hand import promote_model, retire_model, roll_back_model
from rag_assets.tuning.comparison import contenders
from rag_assets.tuning.registry import Decided, decide_model, next_challenger
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.openai_server import Fault, OpenAIServer, openai_server
from rag_assets_tests.tuning.arena import NUMBERS, ONE, TWO, answering, arena, chats, model, questions
from rag_assets_tests.tuning.champions import BASE, tuned
from rag_assets_tests.tuning.files import example, write_file

__all__ = ["openai_server"]


SEEN = "ft:test-chat:us::seen"


class Killed(BaseException):
    """Ends a step as a kill would: nothing catches it."""


def decide(small: SmallProject, model_id: str = ONE) -> Decided:
    with small.open() as project:
        return decide_model(project, model(project, model_id), by="run 1")


def serving_model(small: SmallProject) -> str:
    with small.open() as project:
        return project.release().chat_model


def test_the_winner_of_a_comparison_is_released(small_project: SmallProject, openai_server: OpenAIServer):
    arena(small_project, openai_server)
    with small_project.open() as project:  # what was asked before the comparison counts for nothing in it
        before = ReleaseContent.of(project.release(), project.ledger)
        evaluate(project, before, gate_questions(questions()))
    decided = decide(small_project)
    assert (chats(openai_server, BASE), chats(openai_server, ONE)) == (16, 8)
    assert (decided.decision.decision, decided.decision.decided_by, decided.decision.against) == (
        "promoted",
        "run 1",
        BASE,
    )
    assert decided.comparison is not None
    details = decided.comparison.details
    primary = details["primary"]
    assert (primary["n"], primary["champion"], primary["challenger"]) == (8, 0.25, 1.0)
    assert primary["p_better"] == 1 / 64  # six heads of six
    assert details["mcnemar"]["answer_contains"] == {
        "n": 8, "both": 2, "only_champion": 0, "only_challenger": 6, "neither": 0, "p": 1 / 32,
    }  # fmt: skip
    assert (details["wins"], details["losses"], len(details["largest_wins"])) == (6, 0, 6)
    won = details["largest_wins"][0]
    assert won["accepted"][0] in won["challenger"]["answer"] and won["accepted"][0] not in won["champion"]["answer"]
    assert sorted(details["pairs"])[:3] == [["q1", 1.0, 1.0], ["q2", 1.0, 1.0], ["q3", 0.0, 1.0]]
    assert details["by_source"]["docs"]["difference"] == 0.75
    assert details["champion"]["cost_usd"] == details["challenger"]["cost_usd"] > 0
    with small_project.open() as project:
        release = project.release()
        assert (release.chat_model, release.release_id) == (ONE, decided.decision.release_id)
        assert release.snapshot_id == before.snapshot.snapshot_id
        assert project.ledger.model_statuses() == {ONE: "champion", TWO: "challenger"}
        assert project.ask("What is the colour of machine 8?").model == ONE
        rows = {row.pop("model_id"): row for row in model_rows(project.ledger)}
        assert rows[TWO].pop("created_at") and rows[TWO] == {
            "base_model": BASE,
            "status": "challenger",
            "job_id": f"job of {TWO}",
            "training_file": "f" * 64,
            "metrics": {"valid_loss": 0.5},
            "cost_usd": 0.25,
            "decision": None,
        }
        assert rows[ONE]["metrics"] == {
            "valid_loss": 0.5, "answer_contains": 1.0, "answer_contains_difference": 0.75, "questions": 8,
        }  # fmt: skip
        assert (rows[ONE]["status"], rows[ONE]["decision"]) == ("champion", "promoted")
    again = decide(small_project)
    assert again.decision == decided.decision
    assert (chats(openai_server, BASE), chats(openai_server, ONE)) == (16, 9)


@pytest.mark.slow
def test_a_tie_and_too_few_questions_keep_the_champion(small_project: SmallProject, openai_server: OpenAIServer):
    arena(small_project, openai_server)
    tie = decide(small_project, TWO)
    assert (tie.decision.decision, serving_model(small_project)) == ("rejected", BASE)
    assert "the challenger is not better" in tie.decision.reason
    with small_project.open() as project:
        assert next_challenger(project) == model(project, ONE)
        sync_questions(project.store.golden_questions(), questions(range(1, 8)))
    few = decide(small_project, ONE)
    assert (few.decision.decision, serving_model(small_project)) == ("undecided", BASE)
    assert few.decision.reason == (
        "answer_contains is measured by 7 questions, and fewer than 8 decide nothing: the champion stays"
    )
    with small_project.open() as project:
        assert project.ledger.model_statuses() == {ONE: "challenger", TWO: "rejected"}


@pytest.mark.slow
def test_a_gate_that_refuses_the_winner_leaves_the_champion(small_project: SmallProject, openai_server: OpenAIServer):
    arena(small_project, openai_server, extra="evaluation: {minima: {answer_contains: 0.9}}")
    openai_server.reply = answering({BASE: (), ONE: range(1, 8)})
    decided = decide(small_project)
    assert decided.comparison is not None and decided.comparison.decision == "challenger"
    assert (decided.decision.decision, serving_model(small_project)) == ("blocked", BASE)
    assert "answer_contains is 0.875" in decided.decision.reason
    with small_project.open() as project:
        with pytest.raises(GateError, match=r"answer_contains is 0\.875"):
            promote_model(project, ONE, force=False, reason="", by="a person")
        sync_questions(project.store.golden_questions(), questions(range(1, 8)))
        with pytest.raises(TuningError, match="on another snapshot, or by other questions"):
            promote_model(project, ONE, force=False, reason="", by="a person")
        sync_questions(project.store.golden_questions(), questions())
        forced = promote_model(project, ONE, force=True, reason="we know better", by="a person").decision
        assert (forced.decision, forced.forced, forced.reason, forced.decided_by) == (
            "promoted",
            True,
            "we know better",
            "a person",
        )
        assert project.ledger.serving_history()[0].forced
    assert serving_model(small_project) == ONE


@pytest.mark.parametrize(
    ("place", "hit"),
    [
        ("comparison.between_decided_and_released", 1),
        *(
            pytest.param(*each, marks=pytest.mark.slow)
            for each in (
                ("comparison.between_started_and_asked", 1),
                ("comparison.between_asked_and_finished", 1),
                ("comparison.between_released_and_recorded", 1),
                ("answer", 11),
            )
        ),
    ],
)
def test_a_killed_comparison_goes_on_where_it_was(
    small_project: SmallProject,
    openai_server: OpenAIServer,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    hit: int,
):
    arena(small_project, openai_server)

    def reached(name: str) -> None:
        if name == place:
            raise Killed

    with monkeypatch.context() as patched:
        if place == "answer":
            from rag_assets.evaluation import asking

            asked, ask = [], asking.Asker.ask

            def counted(self: asking.Asker, question: object) -> object:
                asked.append(question)
                if len(asked) == hit:
                    raise Killed
                return ask(self, question)  # type: ignore[arg-type]

            patched.setattr(asking.Asker, "ask", counted)
        patched.setattr(comparison, "failpoint", reached)
        patched.setattr(registry, "failpoint", reached)
        with pytest.raises(Killed):
            decide(small_project)
    with small_project.open() as project:
        assert project.ledger.decisions() == []
        begun = [row.started_at for row in project.ledger.comparisons()]
        if place == "comparison.between_decided_and_released":  # the gates need not ask again
            content = contenders(project, model(project)).challenger
            hashes = [one.question_hash for one in questions()]
            assert len(project.ledger.items(measured_id(project, content), hashes)) == len(hashes)
    served_already = place == "comparison.between_released_and_recorded"
    assert serving_model(small_project) == (ONE if served_already else BASE)
    decided = decide(small_project)
    assert decided.decision.decision == "promoted"
    assert serving_model(small_project) == ONE
    assert chats(openai_server) == 16  # each question once to each, in both tries together
    with small_project.open() as project:
        assert [row.started_at for row in project.ledger.comparisons()] == begun
        assert [one.release_id for one in project.ledger.decisions()] == [project.release().release_id]


@pytest.mark.slow
def test_a_winner_does_not_follow_another_than_it_beat(
    small_project: SmallProject, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
):
    arena(small_project, openai_server)
    openai_server.reply = answering({BASE: (1, 2), ONE: NUMBERS, TWO: NUMBERS})

    def meanwhile(name: str) -> None:
        if name == "comparison.between_decided_and_released":
            monkeypatch.undo()
            assert decide(small_project, TWO).decision.decision == "promoted"

    monkeypatch.setattr(registry, "failpoint", meanwhile)
    late = decide(small_project, ONE).decision
    assert (late.decision, late.reason) == ("blocked", f"it was compared with {BASE}, and {TWO} answers by now")
    assert serving_model(small_project) == TWO
    assert decide(small_project, ONE).decision.decision == "rejected"  # a tie with the new champion


@pytest.mark.slow
def test_an_outage_decides_nothing(small_project: SmallProject, openai_server: OpenAIServer):
    arena(small_project, openai_server)
    openai_server.script("ok", "ok", "ok", Fault(status=503))
    with pytest.raises(ProviderUnavailableError, match="given up"):
        decide(small_project)
    with small_project.open() as project:
        assert project.ledger.decisions() == []
    assert decide(small_project).decision.decision == "promoted"
    assert chats(openai_server) == 17


def test_what_cannot_take_the_place_of_the_champion_is_not_asked(
    small_project: SmallProject, openai_server: OpenAIServer
):
    arena(small_project, openai_server)
    with small_project.open() as project:
        seen = write_file(project, [example("What is the color of machine 3?", "Shade number 333.")])
        openai_server.models.add(SEEN)
        tuned(project.ledger, SEEN, training_file=seen.file_id)
    with pytest.raises(TuningError, match=r"judged by: train\.jsonl:1 .* is the golden question q3"):
        decide(small_project, SEEN)
    openai_server.models.remove(ONE)
    with pytest.raises(ModelNotFoundError, match=f"does not have {ONE} any more"):
        decide(small_project)
    with small_project.open() as project:
        assert project.ledger.model_statuses()[ONE] == "retired"
        with pytest.raises(ModelNotFoundError):
            promote_model(project, ONE, force=True, reason="all the same", by="a person")
        with pytest.raises(TuningError, match="No model 'None' came out of a tuning job"):
            promote_model(project, "None", force=True, reason="all the same", by="a person")
    text = small_project.config_file.read_text("utf-8").split("sources:")[0]
    openai_server.models.add(ONE)
    small_project.configure(text.replace("model: test-chat", "model: other-chat"), docs="")
    with pytest.raises(TuningError, match=r"was tuned from test-chat at 'local', and .* is other-chat"):
        decide(small_project)
    assert chats(openai_server) == 0


@pytest.mark.slow
def test_a_person_promotes_goes_back_and_retires(small_project: SmallProject, openai_server: OpenAIServer):
    arena(small_project, openai_server)
    openai_server.reply = answering({BASE: (1, 2), ONE: NUMBERS, TWO: NUMBERS})
    with small_project.open() as project:
        base = project.release().release_id
        with pytest.raises(TuningError, match="was not compared with test-chat"):
            promote_model(project, ONE, force=False, reason="", by="a person")
        with pytest.raises(TuningError, match="needs a reason"):
            promote_model(project, ONE, force=True, reason=" ", by="a person")
        decide_model(project, model(project, ONE), by="run 1")
        with pytest.raises(TuningError, match="is the champion already"):
            promote_model(project, ONE, force=False, reason="", by="a person")
        with pytest.raises(TuningError, match="is the champion: what serves is not retired"):
            retire_model(project, ONE, reason="", by="a person")
        left, release = roll_back_model(project, reason="it is rude", by="a person")
        assert left is not None and (left.model_id, release.release_id) == (ONE, base)
        assert serving_model(small_project) == BASE
        assert project.content(project.snapshot(release.snapshot_id)).chat.model == BASE
        assert project.ledger.decisions(ONE)[0].reason == "it is rude"
        with pytest.raises(TuningError, match="is retired"):  # and no run takes that back by itself
            decide_model(project, model(project, ONE), by="run 2")
        assert next_challenger(project) == model(project, TWO)
        with pytest.raises(TuningError, match="No release with another model than test-chat"):
            roll_back_model(project, reason="", by="a person")
        again = promote_model(project, ONE, force=True, reason="it learned", by="a person").decision
        assert (again.decision, again.forced, serving_model(small_project)) == ("promoted", True, ONE)
        deleted: list[str] = []
        retire_model(project, TWO, reason="old", by="a person", delete=lambda one: deleted.append(one.model_id))
        assert deleted == [TWO]
        assert project.ledger.model_statuses() == {ONE: "champion", TWO: "retired"}
        assert next_challenger(project) is None
