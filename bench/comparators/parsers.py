"""What the parser libraries take by themselves, each as its documentation shows it.

    python bench/comparators/parsers.py FORMAT FOLDER ROUNDS

FORMAT is rst (docutils: the document tree), pdf (pypdfium2: the text of every page, and of each line where it stands
and how bold its first letter is, which headings and paragraphs are told from), html (trafilatura: text and metadata, on
lxml) or docx (python-docx: the text of paragraphs and of tables' cells). Prints JSON: processor seconds of
each round over all files, which are read before. Files that a library refuses are counted and left out.
"""

from __future__ import annotations

import io
import json
import logging
import sys
import time
from pathlib import Path


def rst(data: bytes) -> int:
    from docutils.core import publish_doctree

    quiet = {"report_level": 5, "halt_level": 5, "file_insertion_enabled": False, "raw_enabled": False}
    return len(publish_doctree(data.decode("utf-8"), settings_overrides=quiet).astext())


def pdf(data: bytes) -> int:
    import pypdfium2
    import pypdfium2.raw

    document = pypdfium2.PdfDocument(data)
    characters = 0
    for page in document:
        text = page.get_textpage()
        whole = text.get_text_range()
        position = 0
        for line in whole.split("\n"):
            if line.strip():
                text.get_charbox(position, loose=True)
                pypdfium2.raw.FPDFText_GetFontWeight(text.raw, position)
            position += len(line) + 1
        characters += len(whole)
        text.close()
        page.close()
    document.close()
    return characters


def html(data: bytes) -> int:
    import trafilatura

    return len(trafilatura.extract(data, with_metadata=True, include_formatting=True, include_tables=True) or "")


def docx(data: bytes) -> int:
    import docx

    document = docx.Document(io.BytesIO(data))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return sum(map(len, [*(paragraph.text for paragraph in document.paragraphs), *cells]))


READERS = {"rst": rst, "pdf": pdf, "html": html, "docx": docx}


def main() -> None:
    logging.disable(logging.CRITICAL)
    wanted, folder, rounds = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    read = READERS[wanted]
    files = {path: path.read_bytes() for path in sorted(folder.rglob(f"*.{wanted}"))}
    refused = 0
    for path, data in list(files.items()):
        try:
            read(data)
        except Exception:
            refused += 1
            del files[path]
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        characters = sum(map(read, files.values()))
        seconds.append(time.process_time() - start)
    print(json.dumps({"seconds": seconds, "files": len(files), "refused": refused, "characters": characters}))


if __name__ == "__main__":
    main()
