"""Which files of a source are its documents.

A glob is matched against the whole path relative to the root, with `/` between folders:

    *       any characters within one name        ?       one character within a name
    **      any number of folders, none included  [abc]   one of these characters; [!abc] none of them
    name/   everything below the folder `name`, as `name/**`

So `*.md` is the root's own files, `**/*.md` those of every folder, and `docs/**` all below `docs`. Case counts. Files
of unsupported types, and files and folders whose name starts with a dot, are never documents.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from rag_assets.documents.parsing import parser_for


@dataclass(frozen=True, slots=True)
class Selection:
    """Compiled include and exclude globs. `pruned` matches folders of which nothing can be selected."""

    included: re.Pattern[str]
    excluded: re.Pattern[str]
    pruned: re.Pattern[str]

    @classmethod
    def of(cls, include: Iterable[str], exclude: Iterable[str]) -> Selection:
        """Compiles globs."""
        excluded = [_complete(glob) for glob in exclude]
        whole_folders = [glob.removesuffix("/**") for glob in excluded if glob.endswith("/**")]
        return cls(
            included=_any_of(_complete(glob) for glob in include),
            excluded=_any_of(excluded),
            pruned=_any_of(whole_folders),
        )

    def takes_file(self, uri: str) -> bool:
        """Whether the file at this relative path is a document of the source."""
        return (
            parser_for(uri) is not None
            and not any(name.startswith(".") for name in uri.split("/"))
            and self.included.fullmatch(uri) is not None
            and self.excluded.fullmatch(uri) is None
        )

    def enters_folder(self, uri: str) -> bool:
        """Whether the folder at this relative path can hold documents of the source."""
        return not PurePosixPath(uri).name.startswith(".") and self.pruned.fullmatch(uri) is None


def _complete(glob: str) -> str:
    glob = glob.removeprefix("./")
    return f"{glob}**" if glob.endswith("/") else glob


def _any_of(globs: Iterable[str]) -> re.Pattern[str]:
    # An empty alternation must match nothing, not the empty path.
    return re.compile("|".join(f"(?:{_translate(glob)})" for glob in globs) or r"(?!)", re.DOTALL)


_PIECE = re.compile(r"(?P<folders>(?:(?<=/)|\A)\*\*/)|(?P<all>\*\*)|(?P<name>\*)|(?P<one>\?)|(?P<set>\[!?\]?[^\]/]*\])")


def _translate(glob: str) -> str:
    pattern, position = "", 0
    for piece in _PIECE.finditer(glob):
        pattern += re.escape(glob[position : piece.start()])
        position = piece.end()
        match piece.lastgroup:
            case "folders":
                pattern += "(?:[^/]+/)*"
            case "all":
                pattern += ".*"
            case "name":
                pattern += "[^/]*"
            case "one":
                pattern += "[^/]"
            case _:
                pattern += _character_set(piece[0])
    return pattern + re.escape(glob[position:])


def _character_set(piece: str) -> str:
    negated = piece.startswith("[!")
    members = piece[2 if negated else 1 : -1]
    escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", members)
    try:
        re.compile(f"[{escaped}]")
    except re.error:
        return re.escape(piece)  # `[z-a]` is no range, so it stands for itself
    return f"[^/{escaped}]" if negated else f"[{escaped}]"
