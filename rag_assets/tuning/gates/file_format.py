"""The gate of the format: a training file that its provider will read as it was meant, line by line."""

from __future__ import annotations

import json

from rag_assets.releasing import GateVerdict
from rag_assets.tuning.gates.example_rules import broken_rules
from rag_assets.tuning.gates.reading import MAX_FILE_BYTES, Contents, Line
from rag_assets.tuning.gates.verdicts import FORMAT, Findings
from rag_assets.tuning.training_file import SPLITS

RULES = "OpenAI chat format@1"
MIN_TRAIN_EXAMPLES = 10
"""OpenAI refuses a job with fewer."""


def judge_format(contents: Contents, subject: str) -> GateVerdict:
    """Every line of both splits by every rule. `details["errors"]` counts them by kind, with their places."""
    findings = Findings()
    for split, size in contents.too_large.items():
        findings.add("file_too_large", f"{split}.jsonl has {size:,} bytes of at most {MAX_FILE_BYTES:,}")
    if "train" in contents.missing:
        findings.add("missing_file", "train.jsonl")
    for split in SPLITS:
        seen: dict[str, str] = {}
        for line in contents.of(split):
            findings.extend(_of_line(line, seen))
    examples = len(contents.of("train"))
    if examples < MIN_TRAIN_EXAMPLES and "train" not in contents.too_large:
        findings.add("too_few_examples", f"train.jsonl has {examples} of at least {MIN_TRAIN_EXAMPLES}")
    return GateVerdict(
        gate=FORMAT,
        subject=subject,
        passed=not findings,
        reason=str(findings) or f"{len(contents.lines):,} lines in OpenAI's chat format",
        details={"lines": len(contents.lines), "errors_total": findings.total, "errors": findings.details()},
    )


def _of_line(line: Line, seen: dict[str, str]) -> list[tuple[str, str]]:
    """The kind and place of what is wrong with `line`. `seen`: what the lines before it hold → where."""
    if line.problem:
        return [(line.problem[0], f"{line.place}: {line.problem[1]}")]
    try:
        found = [(kind, line.place) for kind in broken_rules(line.value)]
        written = json.dumps(line.value, sort_keys=True)
    except RecursionError:
        return [("not_json", f"{line.place}: it is nested too deeply")]
    if written in seen:
        found.append(("duplicate_line", f"{line.place} equals {seen[written]}"))
    seen.setdefault(written, line.place)
    return found
