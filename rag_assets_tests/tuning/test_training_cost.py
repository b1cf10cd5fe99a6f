"""Tokens, epochs and cost, against a second computation written straight from OpenAI's cookbook.

The reference follows "Data preparation and analysis for chat model fine-tuning": `num_tokens_from_messages` with 3
tokens a message and 1 a name, and its rule of default epochs. It uses the encodings themselves and nothing of the
package.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from typing import Any

import pytest

from rag_assets.errors import GateError
from rag_assets.models.embedded.prompt_format import PromptPassage, render_passages, render_question
from rag_assets.releasing import GateVerdict
from rag_assets.tuning.gates import (
    BUDGET,
    TOKENS,
    judge_training_file,
    require_training_file,
    token_histogram,
    training_figures,
)
from rag_assets.tuning.training_cost import default_epochs
from rag_assets.tuning.training_file import Split, TrainingFile
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.tuning.files import clean_examples, example, write_clean, write_file

BASES = {  # base model: its encoding, US dollars for a million trained tokens
    "gpt-4o-mini-2024-07-18": ("o200k_base", 3.00),
    "gpt-4.1-nano": ("o200k_base", 1.50),
    "gpt-3.5-turbo-0125": ("cl100k_base", 8.00),
}


def reference_tokens(lines: Iterable[str], encoding_name: str) -> list[int]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import bpe_openai

        encoding = bpe_openai.get_encoding(encoding_name)
    counts = []
    for line in lines:
        num_tokens = 0
        for message in json.loads(line)["messages"]:
            num_tokens += 3
            for key, value in message.items():
                if key == "weight":  # a number, which is not sent to the model
                    continue
                # Text that looks like a special token is text here: a prompt may quote it.
                num_tokens += len(encoding.encode(value, disallowed_special=()))
                if key == "name":
                    num_tokens += 1
        counts.append(num_tokens + 3)
    return counts


def reference_epochs(n_train_examples: int) -> int:
    target_epochs, min_target, max_target, min_default, max_default = 3, 100, 25_000, 1, 25
    n_epochs = target_epochs
    if n_train_examples * target_epochs < min_target:
        n_epochs = min(max_default, min_target // n_train_examples)
    elif n_train_examples * target_epochs > max_target:
        n_epochs = max(min_default, max_target // n_train_examples)
    return n_epochs


def lines_of(file: TrainingFile, split: Split) -> list[str]:
    return file.path(split).read_text("utf-8").splitlines()


def varied_examples() -> list[dict[str, Any]]:
    """Every form of message whose count OpenAI published a rule for."""
    passages = render_passages([PromptPassage(1, "Küche > Öfen", "Der Ofen hat 250 °C.\n\tEr ist heiß. 🔥", 0.8312)])
    prompt = f"{passages}\n\n{render_question('Wie heiß ist der Ofen, <|endoftext|>?')}"
    turns = example("What is on the menu today, and what was yesterday?", "Soup.")
    turns["messages"] += [{"role": "user", "content": "And?", "name": "Ann"}, {"role": "assistant", "content": "Fish."}]
    turns["messages"][2]["weight"] = 0
    return [example(prompt, "250 °C [1]."), turns, example("今日のスープは何ですか。", "味噌汁です。")]


def verdict_of(verdicts: list[GateVerdict], gate: str) -> GateVerdict:
    return next(verdict for verdict in verdicts if verdict.gate == gate)


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("epochs", [None, 4])
def test_tokens_and_cost_equal_the_reference(small_project: SmallProject, base: str, epochs: int | None) -> None:
    encoding, price = BASES[base]
    small_project.configure(f"""
        tuning: {{provider: openai, base_model: {base}, epochs: {epochs or "null"}}}
    """)
    train, validation = clean_examples()
    with small_project.open() as project:
        file = write_file(project, [*train, *varied_examples()], validation)
        verdicts = judge_training_file(project, file)
        cost = require_training_file(project, file)
    counted = {split: reference_tokens(lines_of(file, split), encoding) for split in ("train", "validation")}
    expected_epochs = epochs or reference_epochs(19)
    expected_cost = (sum(counted["train"]) + sum(counted["validation"])) * expected_epochs * price / 1_000_000

    figures = training_figures(verdicts)
    assert (cost.train_tokens, cost.validation_tokens) == (sum(counted["train"]), sum(counted["validation"]))
    assert cost.epochs == figures["epochs"] == expected_epochs
    assert cost.cost_usd == figures["estimated_cost_usd"] == pytest.approx(expected_cost, rel=1e-12)
    everything = sorted([*counted["train"], *counted["validation"]])
    assert figures["example_tokens_max"] == everything[-1] and figures["example_tokens_min"] == everything[0]
    assert sum(token_histogram(verdicts).values()) == len(everything)
    assert verdict_of(verdicts, TOKENS).details["encoding"] == encoding
    assert figures["gates_failed"] == 0


@pytest.mark.parametrize("examples", [*range(1, 40), 99, 100, 8_333, 8_334, 12_500, 12_501, 25_000, 25_001, 100_000])
def test_default_epochs_equal_the_reference(examples: int) -> None:
    assert default_epochs(examples) == reference_epochs(examples)


def test_nothing_is_cut_without_a_word(small_project: SmallProject) -> None:
    small_project.configure("tuning: {provider: openai, base_model: gpt-3.5-turbo}")
    train, validation = clean_examples()
    with small_project.open() as project:
        file = write_file(project, [*train, example("How long is the menu?", "soup " * 16_385)], validation)
        tokens = reference_tokens(lines_of(file, "train"), "cl100k_base")[-1]
        assert tokens > 16_385
        verdict = verdict_of(judge_training_file(project, file), TOKENS)
        assert not verdict.passed and f"train.jsonl:17 has {tokens:,} tokens" in verdict.reason
    small_project.configure("tuning: {max_example_tokens: 20}")
    with small_project.open() as project:
        verdict = verdict_of(judge_training_file(project, write_clean(project)), TOKENS)
    assert verdict.details["max_example_tokens"] == 20 and not verdict.passed


def test_a_model_that_is_not_known_says_what_to_configure(small_project: SmallProject) -> None:
    server = "models: {providers: {house: {base_url: 'http://127.0.0.1:1/v1', api_key_env: null}}"
    small_project.configure(f"{server}}}\ntuning: {{provider: house, base_model: llama}}")
    with small_project.open() as project:
        file = write_clean(project)
        verdicts = {verdict.gate: verdict for verdict in judge_training_file(project, file)}
        assert "set tuning.max_example_tokens" in verdicts[TOKENS].reason
        assert "set models.prices: {llama: {" in verdicts[BUDGET].reason and "training_usd" in verdicts[BUDGET].reason
        assert "estimated_cost_usd" not in training_figures(list(verdicts.values())), "unknown is not 0"
    small_project.configure(
        f"{server}, prices: {{llama: {{input_usd: 0, training_usd: 0.5}}}}}}\n"
        "tuning: {provider: house, base_model: llama, max_example_tokens: 4096}"
    )
    with small_project.open() as project:
        judge_training_file(project, file)
        assert require_training_file(project, file).price_usd == 0.5


def test_a_job_over_its_own_budget_is_refused_with_the_figures(small_project: SmallProject) -> None:
    small_project.configure("tuning: {provider: openai, base_model: gpt-4.1, budget_usd: 0.001}")
    with small_project.open() as project:
        file = write_clean(project)
        verdict = verdict_of(judge_training_file(project, file), BUDGET)
        assert not verdict.passed
        assert "6 epochs × $25.00" in verdict.reason and "tuning.budget_usd, $0.0010" in verdict.reason
        with pytest.raises(GateError, match=r"training_budget.*tuning\.epochs"):
            require_training_file(project, file)


def test_training_here_is_free(small_project: SmallProject) -> None:
    small_project.configure("tuning: {budget_usd: 0}\nspend: {month_usd: 0}")
    with small_project.open() as project:
        file = write_clean(project)
        judge_training_file(project, file)
        assert require_training_file(project, file).cost_usd == 0.0
