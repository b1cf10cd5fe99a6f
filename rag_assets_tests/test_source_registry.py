from __future__ import annotations

from pathlib import Path

import pytest

from rag_assets.config_file import load_settings
from rag_assets.errors import ConfigurationError, UnknownSourceError
from rag_assets.source_registry import add_source, remove_source

COMMENTED = """\
# The whole file.
version: 1

sources:   # where documents come from
  # The handbook comes first.
  handbook:
    path:   docs/handbook   # spaced by hand
    include: ["**/*.md", '**/*.mdx']

  # Reference pages.
  reference:
    path: docs/reference
    exclude:
      - "drafts/**"   # not yet

# How documents are cut.
chunking:
    max_tokens: 200   # four spaces, on purpose
"""

LAYOUTS = {
    "comments": COMMENTED,
    "sources last": "version: 1\nsources:\n  handbook:\n    path: a\n",
    "no final newline": "version: 1\nsources:\n  handbook:\n    path: a",
    "comment after the last source": "sources:\n  handbook:\n    path: a\n    # of the handbook\n  # of the section\n",
    "one line each": "sources:\n  handbook: {path: a}  # short\nchunking: {max_tokens: 200}\n",
    "four spaces": "sources:\n    handbook:\n        path: a\nversion: 1\n",
    "windows lines": "sources:\r\n  handbook:\r\n    path: a\r\n\r\nversion: 1\r\n",
    "text over several lines": "sources:\n  handbook:\n    path: >-\n      a\n      # not a comment\nversion: 1\n",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rag_assets.yaml"


def write(file: Path, text: str) -> None:
    file.write_bytes(text.encode())


def read(file: Path) -> str:
    return file.read_bytes().decode()


def test_a_source_is_added_after_the_others_and_nothing_else_changes(file: Path):
    write(file, COMMENTED)
    added = add_source(file, "playbooks", {"path": "docs/playbooks", "include": ("**/*.html",), "language": None})
    assert added.include == ("**/*.html",)
    expected = COMMENTED.replace(
        '      - "drafts/**"   # not yet\n',
        '      - "drafts/**"   # not yet\n  playbooks:\n    path: docs/playbooks\n    include:\n      - "**/*.html"\n',
    )
    assert read(file).replace("'**/*.html'", '"**/*.html"') == expected
    assert list(load_settings(file, {}).sources) == ["handbook", "reference", "playbooks"]


@pytest.mark.parametrize("name", LAYOUTS)
def test_adding_and_removing_gives_the_same_bytes_again(file: Path, name: str):
    write(file, LAYOUTS[name])
    add_source(file, "added", {"path": "b", "exclude": ["x", "y"]})
    assert load_settings(file, {}).source("added").exclude == ("x", "y")
    remove_source(file, "added")
    assert read(file) in (LAYOUTS[name], LAYOUTS[name] + "\n")


def test_a_removed_source_takes_its_own_lines_with_it_and_no_comment_of_others(file: Path):
    write(file, COMMENTED)
    remove_source(file, "handbook")
    assert read(file) == (
        "# The whole file.\nversion: 1\n\nsources:   # where documents come from\n  # The handbook comes first.\n\n"
        + COMMENTED[COMMENTED.index("  # Reference pages.") :]
    )


def test_the_last_source_leaves_an_empty_section(file: Path):
    write(file, "sources:  # none yet\n  handbook:\n    path: a\n# the end\n")
    remove_source(file, "handbook")
    assert read(file) == "sources: {}  # none yet\n# the end\n"
    add_source(file, "handbook", {"path": "a"})
    assert read(file) == "sources:  # none yet\n  handbook:\n    path: a\n# the end\n"


@pytest.mark.parametrize(
    "text",
    ["sources:\n", "sources:\n  # later\nversion: 1\n", "sources: {}\n", "sources: null  # later\n", "# none\n", ""],
)
def test_the_first_source_of_a_file(file: Path, text: str):
    write(file, text)
    add_source(file, "handbook", {"path": "a"})
    assert load_settings(file, {}).source("handbook").path == "a"


def test_flow_style_keeps_its_comments(file: Path):
    write(file, "# top\nsources: {handbook: {path: a}}  # beside\nversion: 1  # end\n")
    add_source(file, "reference", {"path": "b"})
    remove_source(file, "handbook")
    assert list(load_settings(file, {}).sources) == ["reference"]
    for comment in ("# top", "# beside", "# end"):
        assert comment in read(file)


def test_an_absent_file_is_created(file: Path):
    add_source(file, "handbook", {"path": "docs"})
    assert load_settings(file, {}).source("handbook").path == "docs"
    assert read(file).startswith("#")


def test_permissions_and_links_stay(file: Path, tmp_path: Path):
    real = tmp_path / "elsewhere.yaml"
    write(real, "version: 1\n")
    real.chmod(0o640)
    file.symlink_to(real)
    add_source(file, "handbook", {"path": "docs"})
    assert file.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert "handbook" in read(real)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere.yaml", "rag_assets.yaml"]


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("Hand Book", {"path": "a"}, "not a source name"),
        ("handbook", {"path": "a"}, "already"),
        ("new", {"path": "a", "exlude": ["x"]}, "sources.new.exlude"),
        ("new", {}, "sources.new.path"),
        ("new", {"path": "a", "token_budget": -1}, "sources.new.token_budget"),
    ],
)
def test_a_bad_source_is_refused_and_the_file_stays(file: Path, name: str, options: dict[str, object], said: str):
    write(file, COMMENTED)
    with pytest.raises(ConfigurationError, match=said):
        add_source(file, name, options)
    assert read(file) == COMMENTED


@pytest.mark.parametrize("text", ["sources: [\n", "unknown: 1\n", "- a list\n"])
def test_a_file_that_is_wrong_already_is_left_alone(file: Path, text: str):
    write(file, text)
    with pytest.raises(ConfigurationError, match=r"rag_assets\.yaml"):
        add_source(file, "handbook", {"path": "a"})
    assert read(file) == text


def test_what_another_source_needs_is_not_removed(file: Path):
    text = "sources:\n  handbook: &all\n    path: a\n  reference: *all\n"
    write(file, text)
    with pytest.raises(ConfigurationError):
        remove_source(file, "handbook")
    assert read(file) == text


def test_removing_an_unknown_source_names_the_known_ones(file: Path):
    write(file, COMMENTED)
    with pytest.raises(UnknownSourceError, match="handbook, reference"):
        remove_source(file, "nowhere")
    with pytest.raises(ConfigurationError, match="does not exist"):
        remove_source(file.with_name("other.yaml"), "handbook")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="cannot be written"):
        add_source(tmp_path / "no-such-folder" / "rag_assets.yaml", "handbook", {"path": "a"})


def test_a_file_that_is_not_utf8(file: Path):
    file.write_bytes("# naïve\n".encode("latin-1"))
    with pytest.raises(ConfigurationError, match="UTF-8"):
        add_source(file, "handbook", {"path": "a"})
