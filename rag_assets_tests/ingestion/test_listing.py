from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from rag_assets.documents.model import Listed
from rag_assets.documents.parsing import parser_for
from rag_assets.ingestion.difference import is_document_due, same_reading
from rag_assets.ingestion.listing import LISTED, STATE_COLUMNS, Due, compare, missing

URIS = st.sampled_from(["a.md", "b.md", "c.txt", "d.rst"])
GATES = st.sampled_from(["1", "2"])
ROW = st.fixed_dictionaries(
    {"gate": GATES, "salt": st.sampled_from(["s", "t"]), "parser": st.sampled_from(["old@1", "now"])}
)


@given(st.dictionaries(URIS, GATES), st.dictionaries(URIS, ROW))
def test_arrow_columns_are_compared_as_single_documents_are(listed: dict[str, str], stored: dict[str, dict[str, str]]):
    rows = {
        uri: {
            "document_id": f"id of {uri}",
            "uri": uri,
            "fingerprint": f"{row['gate']}|{row['salt']}",
            "parser": parser_for(uri) if row["parser"] == "now" else row["parser"],
            "content_hash": f"content of {uri}",
            "row_hash": f"row of {uri}",
        }
        for uri, row in stored.items()
    }
    items = [Listed(uri, listed[uri]) for uri in sorted(listed)]
    table = pa.Table.from_pylist(list(rows.values()), pa.schema([(name, pa.string()) for name in STATE_COLUMNS]))
    found = compare(
        pa.Table.from_pylist(
            [{"uri": item.uri, "fingerprint": item.fingerprint, "parser": parser_for(item.uri)} for item in items],
            LISTED,
        ),
        table,
        "s",
    )
    due = [is_document_due(item, rows.get(item.uri), "s") for item in items]
    assert found.differs.tolist() == due
    reading = [item.uri in rows and same_reading(rows[item.uri], item.uri, "s") for item in items]
    assert found.same_reading.tolist() == reading
    assert set(missing(table, found.listed)["uri"].to_pylist()) == rows.keys() - listed.keys()
    opened = [one for group in Due.of(found, found.differs).groups(2) for one in group]
    assert [one.uri for one in opened] == [item.uri for item, is_due in zip(items, due, strict=True) if is_due]
    assert all(one.row_hash == rows.get(one.uri, {}).get("row_hash") for one in opened)
