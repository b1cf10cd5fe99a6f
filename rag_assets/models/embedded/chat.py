"""POST /v1/chat/completions with the extractive reader: a chat model that answers by quoting.

The last user message holds numbered passages and a question (`prompt_format.py`). The answer is the quoted sentences,
one on a line, each with the mark of its passage: `A release pins an index snapshot. [2]`. Where a quote holds
something like such a mark, it stands in parentheses. What the quotes are, word for word, is in the extra field
`rag_assets` of the message (of the last delta when streamed):

    {"answerable": true, "confidence": 0.87, "quotes": [{"n": 2, "text": …, "start": …, "end": …, "score": …}]}

`start` and `end` are character offsets in the passage. The reader is deterministic, so `temperature`, `top_p`, `seed`
and the penalties change nothing and are accepted. What it cannot do is refused: tools, JSON schemas, images, audio,
several choices.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from rag_assets.errors import InvalidRequestError
from rag_assets.models.embedded.encoder import get_encoder
from rag_assets.models.embedded.prompt_format import parse_prompt
from rag_assets.models.embedded.tokenizer import get_tokenizer
from rag_assets.models.embedded.wire import (
    JsonObject,
    Reply,
    WireError,
    event_stream,
    json_reply,
    refuse_unknown,
    required_text,
)

if TYPE_CHECKING:
    from rag_assets.models.embedded.reader import TunedReader

MODEL = "extractive-reader"
REFUSAL = "The documents do not answer this question."

_WITHOUT_EFFECT = frozenset(
    {"temperature", "top_p", "seed", "presence_penalty", "frequency_penalty", "user", "metadata", "store"}
)
_READ = frozenset({"model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens"})
_CANNOT = {
    "tools": "call tools",
    "tool_choice": "call tools",
    "functions": "call functions",
    "function_call": "call functions",
    "audio": "speak",
    "logprobs": "give probabilities of tokens",
    "logit_bias": "weigh tokens",
    "stop": "stop at a text",
}
_ONLY: dict[str, tuple[Any, ...]] = {"n": (1,), "response_format": ({"type": "text"},), "modalities": (["text"],)}
_ROLES = ("system", "developer", "user", "assistant")
_CODE_LINES = re.compile(r"^(?:```|~~~| {4}|\t)", re.MULTILINE)
_MARK = re.compile(r"\[(\d{1,3})\]")


@dataclass(frozen=True, slots=True)
class _Answer:
    lines: list[str]
    finish_reason: str
    extras: JsonObject
    prompt_tokens: int
    completion_tokens: int

    @property
    def usage(self) -> JsonObject:
        total = self.prompt_tokens + self.completion_tokens
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": total,
        }


def chat_completions(request: JsonObject, tuned: TunedReader | None = None) -> Reply:
    """An answer from the passages in the prompt, whole or streamed; raises `WireError`.

    `tuned`: the reader that the request names, where that is a tuned one.
    """
    _check(request, tuned=tuned is not None)
    answer = _read(message_texts(request), _token_limit(request), tuned)
    frame: JsonObject = {"id": f"chatcmpl-{uuid4().hex}", "created": int(time.time()), "model": request["model"]}
    if request.get("stream"):
        options = request.get("stream_options") or {}
        return event_stream(_events(frame, answer, include_usage=bool(options.get("include_usage"))))
    message = {"role": "assistant", "content": "".join(answer.lines), "refusal": None, "rag_assets": answer.extras}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish_reason}
    return json_reply({**frame, "object": "chat.completion", "choices": [choice], "usage": answer.usage})


def message_texts(request: JsonObject) -> list[tuple[str, str]]:
    """Role and text of each message; raises `WireError` for anything that is not text."""
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages:
        raise WireError("`messages` must be a list with at least one message.", param="messages")
    return [_message_text(message, f"messages[{index}]") for index, message in enumerate(messages)]


def _message_text(message: Any, where: str) -> tuple[str, str]:
    role = message.get("role") if isinstance(message, dict) else None
    if role not in _ROLES:
        raise WireError(f"`{where}.role` must be one of {', '.join(_ROLES)}.", param=where)
    content = message.get("content")
    if isinstance(content, str):
        return role, content
    if not isinstance(content, list):
        raise WireError(f"`{where}.content` must be text.", param=where)
    texts = []
    for part in content:
        text = part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None
        if not isinstance(text, str):
            raise WireError(f"{MODEL} reads text only; `{where}.content` holds something else.", param=where)
        texts.append(text)
    return role, "".join(texts)


def _check(request: JsonObject, *, tuned: bool) -> None:
    """Refuses what the reader cannot do, rather than answering as if it had not been asked for."""
    model = required_text(request, "model")
    if model != MODEL and not tuned:
        raise WireError(f"`{model}` is not a chat model; `{MODEL}` is.", param="model")
    for key, ability in _CANNOT.items():
        if request.get(key):
            raise WireError(f"{MODEL} quotes sentences and cannot {ability}.", param=key, code="unsupported_parameter")
    for key, able in _ONLY.items():
        if request.get(key) is not None and request[key] not in able:
            raise WireError(f"{MODEL} gives one answer in plain text.", param=key, code="unsupported_parameter")
    refuse_unknown(request, _READ | _WITHOUT_EFFECT | _CANNOT.keys() | _ONLY.keys())
    if not isinstance(request.get("stream") or False, bool):
        raise WireError("`stream` must be true or false.", param="stream")
    if not isinstance(request.get("stream_options") or {}, dict):
        raise WireError("`stream_options` must be an object.", param="stream_options")


def _token_limit(request: JsonObject) -> int | None:
    for key in ("max_completion_tokens", "max_tokens"):
        limit = request.get(key)
        if limit is None:
            continue
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            raise WireError(f"`{key}` must be a whole number above 0.", param=key)
        return limit
    return None


def _read(messages: list[tuple[str, str]], token_limit: int | None, tuned: TunedReader | None) -> _Answer:
    """Quotes are whole or left out; where `token_limit` leaves one out, the answer ends for the reason `length`."""
    from rag_assets.models.embedded.reader import Passage, read

    asked = next((text for role, text in reversed(messages) if role == "user"), "")
    try:
        prompt = parse_prompt(asked)
    except InvalidRequestError as error:
        raise WireError(str(error), param="messages", code="no_passages") from error
    passages = [Passage(passage.n, passage.title, passage.text, passage.score) for passage in prompt.passages]
    reading = read(prompt.question, passages, encoder=get_encoder(), model=tuned)
    quotes = list(reading.quotes) if reading.answerable else []
    lines = [quote_line(quote.text, quote.n) for quote in quotes] or [REFUSAL]
    kept, tokens = _within(lines, token_limit)
    count = get_tokenizer().count
    return _Answer(
        lines=kept,
        finish_reason="stop" if len(kept) == len(lines) else "length",
        extras={
            "answerable": bool(quotes),
            "confidence": float(reading.confidence),
            "quotes": [asdict(quote) for quote in quotes[: len(kept)]],
        },
        prompt_tokens=sum(count(text) for _, text in messages),
        completion_tokens=tokens,
    )


def quote_line(quote: str, n: int) -> str:
    """`quote` of passage `n` as it stands in an answer, on a line of its own with its mark."""
    return f"{_without_marks(_flowing(quote))} [{n}]"


def _flowing(quote: str) -> str:
    """`quote` on one line, unless its lines mean something, as those of code do."""
    return quote if _CODE_LINES.search(quote) else " ".join(quote.split())


def _without_marks(quote: str) -> str:
    """`quote` without what could be taken for a citation: [3] becomes (3)."""
    return _MARK.sub(r"(\1)", quote)


def _within(lines: list[str], token_limit: int | None) -> tuple[list[str], int]:
    """The first of `lines` that fit `token_limit` together, whole, and their tokens; all begin on a new line."""
    kept: list[str] = []
    tokens = 0
    for line in lines:
        line_tokens = get_tokenizer().count(line)
        if token_limit is not None and tokens + line_tokens > token_limit:
            break
        kept.append(f"\n{line}" if kept else line)
        tokens += line_tokens
    return kept, tokens


def _events(frame: JsonObject, answer: _Answer, *, include_usage: bool) -> Iterator[JsonObject]:
    """The chunks of a streamed answer: role, one quote each, the reason why it ends, usage if asked for."""
    base = {**frame, "object": "chat.completion.chunk"} | ({"usage": None} if include_usage else {})

    def chunk(delta: JsonObject, finish_reason: str | None = None) -> JsonObject:
        return {**base, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}]}

    yield chunk({"role": "assistant", "content": "", "refusal": None})
    for line in answer.lines:
        yield chunk({"content": line})
    yield chunk({"rag_assets": answer.extras}, answer.finish_reason)
    if include_usage:
        yield {**base, "choices": [], "usage": answer.usage}
