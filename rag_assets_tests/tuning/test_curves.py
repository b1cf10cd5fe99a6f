"""Training curves from results files of OpenAI's shape, as numbers and as a picture."""

from __future__ import annotations

import base64

import pytest

from rag_assets.errors import TuningError
from rag_assets.tuning.curve_plot import curves_png
from rag_assets.tuning.curves import POINTS_KEPT, CurvePoint, Curves, of_rows, read_results

PLAIN = """step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy
1,1.50000,0.50,,
2,0.75000,0.60,1.2,0.55
3,0.60000,0.70,nan,-1.0
4,0.50000,0.75,1.4,0.50
"""


@pytest.mark.parametrize("content", [PLAIN.encode(), base64.encodebytes(PLAIN.encode())], ids=["plain", "base64"])
def test_what_was_not_measured_is_left_out(content: bytes) -> None:
    curves = read_results(content)
    assert curves.of("train_loss") == [(1, 1.5), (2, 0.75), (3, 0.6), (4, 0.5)]
    assert curves.of("valid_loss") == [(2, 1.2), (4, 1.4)]
    assert curves.of("valid_accuracy") == [(2, 0.55), (4, 0.5)]
    assert curves.metrics() == {
        "train_loss": 0.5, "train_accuracy": 0.75, "valid_loss": 1.4, "valid_accuracy": 0.5,
        "steps": 4, "best_valid_loss": 1.2, "best_step": 2,
    }  # fmt: skip
    assert Curves.from_columns(curves.as_columns()) == curves


def test_the_whole_validation_set_goes_before_a_batch_of_it() -> None:
    [point] = of_rows(
        [{"step": "5", "valid_loss": "2", "full_valid_loss": "1", "train_mean_token_accuracy": 0.5}]
    ).points
    assert point == CurvePoint(5, train_accuracy=0.5, valid_loss=1.0)


@pytest.mark.parametrize("content", [b"", b"<html></html>", b"\xff\xfe", b"loss,accuracy\n1,2\n"])
def test_another_shape_is_an_error_in_words(content: bytes) -> None:
    with pytest.raises(TuningError, match="no column `step`"):
        read_results(content)


def test_long_curves_are_thinned_and_keep_their_ends_and_what_is_rare() -> None:
    points = [CurvePoint(n, train_loss=1 / n, valid_loss=2 / n if n % 1_000 == 0 else None) for n in range(1, 9_001)]
    kept = Curves.from_columns(Curves(tuple(points)).as_columns())
    assert len(kept.points) <= POINTS_KEPT
    assert (kept.points[0].step, kept.points[-1].step) == (1, 9_000)
    assert len(kept.of("valid_loss")) == 9


def test_thinning_keeps_the_best_step() -> None:
    points = [CurvePoint(n, train_loss=1.0, valid_loss=0.5 if n == 4_567 else 1.0) for n in range(1, 9_001)]
    curves = Curves(tuple(points))
    kept = Curves.from_columns(curves.as_columns())
    assert POINTS_KEPT * 0.9 < len(kept.points) <= POINTS_KEPT
    assert kept.metrics() == curves.metrics()


def test_the_picture_shows_what_there_is() -> None:
    assert curves_png(Curves(())) is None
    png = curves_png(read_results(PLAIN.encode()))
    assert png is not None and png.startswith(b"\x89PNG")
    assert len(png) < 60_000, "it stays in the event log"
