"""What a request for a fine-tuning job asks for, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rag_assets.errors import InvalidRequestError
from rag_assets.models.embedded.tuning.ids import SUFFIX_CHARACTERS
from rag_assets.models.embedded.wire import JsonObject, WireError, refuse_unknown, required_text

_KNOWN = frozenset(
    {"model", "training_file", "validation_file", "hyperparameters", "method", "seed", "suffix", "metadata"}
)
LARGEST_SEED = 2_147_483_647
_HYPERPARAMETERS = {"n_epochs": int, "batch_size": int, "learning_rate_multiplier": float}
_MOST_KEYS, _KEY_CHARACTERS, _VALUE_CHARACTERS = 16, 64, 512
"""OpenAI's limits, as those of the seed and the suffix are: https://platform.openai.com/docs/api-reference/fine-tuning/create"""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """`hyperparameters` has all three of OpenAI's names, with the numbers that are used. Without a seed it is 0."""

    model: str
    training_file: str
    validation_file: str | None
    hyperparameters: Mapping[str, float]
    seed: int
    suffix: str
    metadata: Mapping[str, str] | None


def parse_job_request(request: JsonObject) -> JobRequest:
    """Raises `WireError` that names the parameter."""
    refuse_unknown(request, _KNOWN | {"integrations"})
    if request.get("integrations"):
        raise WireError("The embedded provider reports to no other service.", param="integrations")
    seed = request.get("seed")
    if seed is not None and not (_is_number(seed, int) and 0 <= seed <= LARGEST_SEED):
        raise WireError(f"`seed` must be a whole number from 0 to {LARGEST_SEED}.", param="seed")
    suffix = request.get("suffix")
    if suffix is not None and not (isinstance(suffix, str) and len(suffix) <= SUFFIX_CHARACTERS):
        raise WireError(f"`suffix` must be a text of at most {SUFFIX_CHARACTERS} characters.", param="suffix")
    return JobRequest(
        model=required_text(request, "model"),
        training_file=required_text(request, "training_file"),
        validation_file=required_text(request, "validation_file") if request.get("validation_file") else None,
        hyperparameters=_resolved(_given_hyperparameters(request), seed or 0),
        seed=seed or 0,
        suffix=suffix or "",
        metadata=_metadata(request.get("metadata")),
    )


def _given_hyperparameters(request: JsonObject) -> JsonObject:
    """Those under `method`, or under the older `hyperparameters`; "auto" is none."""
    method, given = request.get("method"), request.get("hyperparameters")
    where = "hyperparameters"
    if method is not None:
        if given is not None:
            raise WireError("Give `method` or `hyperparameters`, not both.", param="hyperparameters")
        if not isinstance(method, dict) or method.get("type") != "supervised":
            raise WireError("The embedded provider tunes by the method `supervised` alone.", param="method")
        given, where = (method.get("supervised") or {}).get("hyperparameters"), "method"
    if given is not None and not isinstance(given, dict):
        raise WireError("`hyperparameters` must be an object.", param=where)
    chosen = {}
    for name, value in (given or {}).items():
        if name not in _HYPERPARAMETERS:
            raise WireError(f"The embedded provider does not know the hyperparameter `{name}`.", param=where)
        if value is None or value == "auto":
            continue
        if not _is_number(value, _HYPERPARAMETERS[name]):
            raise WireError(f'`{name}` must be a number or "auto".', param=where)
        chosen[name] = value
    return chosen


def _resolved(given: JsonObject, seed: int) -> dict[str, float]:
    from rag_assets.models.embedded.reader.tuning import hyperparameters

    try:
        used = hyperparameters(
            given.get("n_epochs"), given.get("batch_size"), given.get("learning_rate_multiplier"), seed
        )
    except InvalidRequestError as error:
        raise WireError(str(error), param="hyperparameters") from error
    return {
        "n_epochs": used.epochs,
        "batch_size": used.batch_size,
        "learning_rate_multiplier": used.learning_rate_multiplier,
    }


def _metadata(given: Any) -> dict[str, str] | None:
    if given is None:
        return None
    fits = isinstance(given, dict) and len(given) <= _MOST_KEYS
    for key, value in given.items() if fits else ():
        fits = fits and len(key) <= _KEY_CHARACTERS and isinstance(value, str) and len(value) <= _VALUE_CHARACTERS
    if not fits:
        raise WireError(
            f"`metadata` must be at most {_MOST_KEYS} texts of {_VALUE_CHARACTERS} characters, under keys of "
            f"{_KEY_CHARACTERS}.",
            param="metadata",
        )
    return dict(given)


def _is_number(value: Any, kind: type) -> bool:
    return not isinstance(value, bool) and isinstance(value, (int, float) if kind is float else int)
