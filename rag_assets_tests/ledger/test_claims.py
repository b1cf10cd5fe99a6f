"""Claims on inputs: one owner each, for as long as it holds or renews them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from rag_assets.ledger import Ledger

LEASE = timedelta(minutes=5)
HASHES = [f"{number:064x}" for number in range(40)]


def test_an_input_has_one_claimant_in_each_space(ledger: Ledger) -> None:
    assert ledger.claim_inputs("s", HASHES[:3], "one", "here", LEASE) == set()
    assert ledger.claim_inputs("s", HASHES[:3], "one", "here", LEASE) == set()
    assert ledger.claim_inputs("s", HASHES[1:5], "two", "there", LEASE) == set(HASHES[1:3])
    assert ledger.claim_inputs("another", HASHES[:3], "two", "there", LEASE) == set()
    held = {one.owner: (one.place, one.inputs) for one in ledger.claimants("s", HASHES)}
    assert held == {"one": ("here", 3), "two": ("there", 2)}
    assert ledger.end_claims("one", "s", HASHES[:2]) == 2
    assert ledger.claim_inputs("s", HASHES[:3], "two", "there", LEASE) == {HASHES[2]}
    assert ledger.end_claims("one") == 1
    assert {one.owner for one in ledger.claimants("s", HASHES)} == {"two"}


def test_a_claim_says_when_it_expires_unless_it_is_renewed(ledger: Ledger) -> None:
    ledger.claim_inputs("s", HASHES[:1], "one", "here", timedelta(seconds=-1))
    assert ledger.claimants("s", HASHES)[0].expires_at < datetime.now(UTC)
    ledger.renew_claims("one", LEASE)
    assert ledger.claimants("s", HASHES)[0].expires_at > datetime.now(UTC)


def test_claims_made_at_once_share_the_inputs(ledger: Ledger) -> None:
    others: dict[str, set[str]] = {}

    def claim(owner: str) -> None:
        order = HASHES if int(owner) % 2 else HASHES[::-1]
        others[owner] = ledger.claim_inputs("s", order, owner, "here", LEASE)

    threads = [threading.Thread(target=claim, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    mine = [set(HASHES) - found for found in others.values()]
    assert len(mine) == 4
    assert sum(map(len, mine)) == len(HASHES) == len(set().union(*mine))
