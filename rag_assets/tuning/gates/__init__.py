"""The gates before a model is tuned: what must hold of exactly this training file before anything is paid.

`judge_training_file` leaves a verdict of each gate in the ledger; `require_training_file`, called in the body of what
pays, refuses without them. Asset checks display the same verdicts.
"""

from rag_assets.tuning.gates.coverage import NOTHING_COVERED, Coverage, coverage_of, set_aside_for
from rag_assets.tuning.gates.figures import token_histogram, training_figures
from rag_assets.tuning.gates.judging import (
    Judgement,
    held_out_questions,
    judge_training_file,
    require_training_file,
    training_subject,
)
from rag_assets.tuning.gates.verdicts import (
    BUDGET,
    COUNTS,
    FORMAT,
    LEAKAGE,
    PRIVACY,
    TOKENS,
    TRAINING_GATES,
    subject_of_file,
)

__all__ = [
    "BUDGET",
    "COUNTS",
    "FORMAT",
    "LEAKAGE",
    "NOTHING_COVERED",
    "PRIVACY",
    "TOKENS",
    "TRAINING_GATES",
    "Coverage",
    "Judgement",
    "coverage_of",
    "held_out_questions",
    "judge_training_file",
    "require_training_file",
    "set_aside_for",
    "subject_of_file",
    "token_histogram",
    "training_figures",
    "training_subject",
]
