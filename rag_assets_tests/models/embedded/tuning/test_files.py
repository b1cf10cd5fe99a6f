from __future__ import annotations

import io
import json

import httpx2
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_assets.models.embedded.provider import EmbeddedProvider
from rag_assets.models.embedded.tuning.multipart import parse_form
from rag_assets_tests.models.embedded.wire_client import connect

CONTENT = b'{"messages": []}\r\n--x\r\n\r\n{"b": "\xc3\xa9"}\n'


def test_a_file_is_kept_byte_for_byte_until_it_is_deleted(client, state_dir):
    made = client.files.create(file=("für alle.jsonl", io.BytesIO(CONTENT)), purpose="fine-tune")
    assert (made.filename, made.bytes, made.purpose, made.status) == (
        "für alle.jsonl",
        len(CONTENT),
        "fine-tune",
        "processed",
    )
    with connect(state_dir=state_dir) as another:
        assert another.files.retrieve(made.id) == made
        assert another.files.content(made.id).content == CONTENT
        assert another.files.delete(made.id).deleted is True
    assert not (state_dir / "files" / made.id).exists()
    for ask in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(openai.NotFoundError, match=made.id):
            ask(made.id)


def test_files_are_listed_in_pages_newest_first(client):
    ids = [client.files.create(file=(f"{n}.jsonl", b"{}"), purpose="fine-tune").id for n in range(5)]
    assert [file.id for file in client.files.list()] == ids[::-1]
    page = client.files.list(limit=2)
    assert ([file.id for file in page.data], page.has_more) == (ids[:2:-1], True)
    assert [file.id for file in page] == ids[::-1]  # the client asks for the other pages
    assert [file.id for file in client.files.list(order="asc", limit=2)] == ids
    assert list(client.files.list(purpose="fine-tune-results")) == []
    with pytest.raises(openai.NotFoundError):
        client.files.list(after="file-0")


BOUNDARY = "7MA4YWxkTrZu0gW"


def form(**fields: tuple[str | None, bytes]) -> bytes:
    """A form as a client writes it: each field with its file name, or None, and its content."""
    parts = []
    for name, (filename, content) in fields.items():
        label = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
        parts.append(f"--{BOUNDARY}\r\nContent-Disposition: {label}\r\n\r\n".encode() + content + b"\r\n")
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


PURPOSE = (None, b"fine-tune")
FORM = f"multipart/form-data; boundary={BOUNDARY}"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (form(purpose=PURPOSE, file=("a.jsonl", b"")), "file"),
        (form(purpose=PURPOSE, file=("a.csv", b"a")), "file"),
        (form(purpose=PURPOSE, file=(None, b"a")), "file"),
        (form(purpose=PURPOSE), "file"),
        (form(purpose=(None, b"assistants"), file=("a.jsonl", b"a")), "purpose"),
        (form(file=("a.jsonl", b"a")), "purpose"),
        (form(purpose=PURPOSE, file=("a.jsonl", b"a"), expires_after=(None, b"1")), "expires_after"),
        (form(purpose=PURPOSE, file=("a.jsonl", b"a"))[:-8], None),
        (b"", None),
    ],
)
def test_an_upload_that_is_refused_names_the_field_and_keeps_nothing(state_dir, body, param):
    reply = EmbeddedProvider(state_dir=state_dir).handle("POST", "/v1/files", {"content-type": FORM}, body)
    assert isinstance(reply.body, bytes)
    assert (reply.status, json.loads(reply.body)["error"]["param"]) == (400, param)
    assert not state_dir.exists()


@given(st.lists(st.binary(), min_size=1, max_size=3), st.text("ab/é .", min_size=1))
def test_a_form_is_read_as_it_was_written(contents, filename):
    files = [(f"part{number}", (filename, content)) for number, content in enumerate(contents)]
    request = httpx2.Request("POST", "http://embedded.invalid/", files=files)
    parts = parse_form(request.headers["content-type"], request.read())
    assert [(part.name, part.filename, part.content) for part in parts] == [
        (name, filename, content) for name, (_, content) in files
    ]


def test_without_a_folder_files_and_jobs_are_refused_and_the_rest_works():
    with connect() as client:
        for ask in (client.files.list, client.fine_tuning.jobs.list):
            with pytest.raises(openai.InternalServerError, match="settings of a project") as caught:
                ask()
            assert (caught.value.status_code, caught.value.code) == (503, "no_state_dir")
        assert len(client.models.list().data) == 4


def test_what_was_never_used_makes_no_folder(client, state_dir):
    assert len(client.models.list().data) == 4
    assert (list(client.files.list()), list(client.fine_tuning.jobs.list())) == ([], [])
    for ask in (client.files.retrieve, client.fine_tuning.jobs.retrieve):
        with pytest.raises(openai.NotFoundError):
            ask("nobody")
    with pytest.raises(openai.NotFoundError):
        client.models.delete("ft:extractive-reader:rag-assets::abcd1234")
    assert not state_dir.exists()


def test_state_that_cannot_be_used_says_what_to_look_at(client, state_dir):
    state_dir.parent.mkdir(exist_ok=True)
    state_dir.write_text("no folder")
    with pytest.raises(openai.InternalServerError, match=str(state_dir)) as caught:
        client.files.create(file=("a.jsonl", b"{}"), purpose="fine-tune")
    assert (caught.value.status_code, caught.value.code) == (503, "state_unavailable")
    state_dir.unlink()
    client.files.create(file=("a.jsonl", b"{}"), purpose="fine-tune")
    (state_dir / "state.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(openai.InternalServerError, match="not a database"):
        client.files.list()
