"""That a model was not trained on the questions that judge it, also where they were written after its training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag_assets.errors import TuningError
from rag_assets.ledger import TunedModel
from rag_assets.tuning.gates import LEAKAGE, Judgement, training_subject
from rag_assets.tuning.gates.coverage import NOTHING_COVERED
from rag_assets.tuning.training_file import TrainingFile

if TYPE_CHECKING:
    from rag_assets.project import Project

JUDGES = "golden gate"
"""How the gate of leakage ends the names of what it compared with the questions that decide."""


def require_unseen(project: Project, model: TunedModel) -> None:
    """Raises `TuningError` where a question of the split gate, as it is now, stands in the training file of `model`.

    The gate before the training knew the questions of then. A file that is not kept here any more cannot be looked at.
    """
    try:
        file = TrainingFile.open(project.settings.data_path, model.training_file)
    except TuningError:
        return
    known = project.ledger.verdict(LEAKAGE, training_subject(project, file, LEAKAGE))
    if known is not None and known.passed:
        return
    leaks = Judgement(project, file, NOTHING_COVERED).verdict(LEAKAGE).details["leaks"]
    seen = [example for name, leak in leaks.items() if name.endswith(JUDGES) for example in leak["examples"]]
    if seen:
        first = seen[0]
        raise TuningError(
            f"{model.model_id} was trained on what it would be judged by: {first['example']} of the training file "
            f"{file.file_id}, from {first['origin'] or 'an unknown place'}, is the golden question "
            f"{first['same_as']}.",
            fix="Take the question out of the golden questions, or out of the examples and tune again.",
        )
