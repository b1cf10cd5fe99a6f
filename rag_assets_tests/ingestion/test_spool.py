"""The spool: what was appended is read back, a torn end is not, and a file belongs to a process while it lives."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from rag_assets.errors import StoreError
from rag_assets.ingestion import spool
from rag_assets.ingestion.input_hashes import InputSet, hexadecimal, raw_hashes, raw_of
from rag_assets.ingestion.spool import Received, Spool, read_records


def received(first: int, rows: int = 3) -> Received:
    hashes = raw_of(f"{number:064x}" for number in range(first, first + rows))
    vectors = np.arange(first, first + 8 * rows, dtype=np.float32).reshape(rows, 8)
    return Received(hashes, vectors, np.arange(rows, dtype=np.int32))


def hashes_in(path: Path) -> list[str]:
    return [key for record in read_records(path) for key in hexadecimal(record.hashes)]


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    own = Spool(tmp_path)
    path = own.next_window()
    for first in (0, 100):
        own.append(received(first))
    back = list(read_records(path))
    for first, record in zip((0, 100), back, strict=True):
        expected = received(first)
        assert hexadecimal(record.hashes) == hexadecimal(expected.hashes)
        assert np.array_equal(record.vectors, expected.vectors)
        assert np.array_equal(record.token_counts, expected.token_counts)
    own.close()


@pytest.mark.parametrize("lost", [1, 50, 200])
def test_a_torn_end_is_left_out(tmp_path: Path, lost: int) -> None:
    own = Spool(tmp_path)
    path = own.next_window()
    own.append(received(0))
    whole = path.stat().st_size
    own.append(received(100))
    os.truncate(path, max(path.stat().st_size - lost, whole))
    assert hashes_in(path) == hexadecimal(received(0).hashes)
    own.close()


def test_a_damaged_record_is_left_out(tmp_path: Path) -> None:
    own = Spool(tmp_path)
    path = own.next_window()
    own.append(received(0))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert hashes_in(path) == []
    own.close()


def test_a_full_disk_is_a_clear_error_and_leaves_no_half_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Spool(tmp_path)
    path = own.next_window()
    own.append(received(0))
    write = os.write

    def short(file: int, data: memoryview) -> int:
        if len(data) < 100:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, data[:50])

    monkeypatch.setattr(os, "write", short)
    with pytest.raises(StoreError, match="No space left on device") as raised:
        own.append(received(100))
    assert "make room" in raised.value.fix
    monkeypatch.undo()
    own.append(received(200))
    assert hashes_in(path) == hexadecimal(received(0).hashes) + hexadecimal(received(200).hashes)
    own.close()


def test_an_owner_lives_until_it_closes(tmp_path: Path) -> None:
    own = Spool(tmp_path)
    assert spool.is_alive(tmp_path, own.owner)
    assert spool.lock_of_dead(tmp_path, own.owner) is None
    own.close()
    assert not spool.is_alive(tmp_path, own.owner)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_stored_stays_for_the_next_process(tmp_path: Path) -> None:
    own = Spool(tmp_path)
    own.next_window()
    own.append(received(0))
    own.close()
    assert spool.owners(tmp_path) == [own.owner]
    lock = spool.lock_of_dead(tmp_path, own.owner)
    assert lock is not None
    lock.release()


def test_what_others_put_into_the_folder_is_left_alone(tmp_path: Path) -> None:
    own = Spool(tmp_path)
    windows = [own.next_window() for _ in range(10)]
    strange = [".DS_Store", "notes.txt", "foo.bar.spool", f"{own.owner}.1 (copy).spool"]
    for name in strange:
        (tmp_path / name).touch()
    assert spool.owners(tmp_path) == [own.owner]
    assert spool.segments_of(tmp_path, own.owner) == windows
    for window in windows:
        window.unlink()
    own.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(strange)


def test_sets_of_hashes_tell_trailing_zeros_apart() -> None:
    keys = ["ab" * 32, "ab" * 31 + "00", "ab" * 30 + "0000", "00" * 32]
    inputs = InputSet([raw_of(keys), raw_of(keys[:2])])
    assert hexadecimal(inputs.hashes) == sorted(keys)
    assert inputs.among(raw_of(keys[1:2])).tolist() == [key == keys[1] for key in sorted(keys)]
    assert len(InputSet([])) == 0
    assert InputSet([]).places(raw_of(keys))[1].tolist() == [False] * 4
    import pyarrow as pa

    assert hexadecimal(raw_hashes(pa.array(["", *keys])[1:])) == keys
    with pytest.raises(ValueError, match=r"."):
        raw_hashes(pa.array(["short"]))
