"""Read runs by databroker, from a catalog that is filled from the ledger.

    python read_by_databroker.py materialsdock-data

A night's librarian fills the catalog by itself; this does what it does, so it needs no night, and
must not run beside one: an embedded catalog has one owner.
"""

import sys
from pathlib import Path

from materialsdock.ledger.ledger import Ledger
from materialsdock.views.catalog import CatalogFeeder, open_catalog

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "materialsdock-data")
with Ledger(folder / "ledger.sqlite") as ledger, open_catalog(folder / "catalog") as catalog:
    with CatalogFeeder(ledger, catalog, folder) as feeder:
        feeder.drain(60.0)  # seconds
    run = catalog[-1]  # the latest; catalog(sample="quartz") searches
    print(run.start["sample"], run.stop["exit_status"], ", ".join(run.stream_names))
    print(run.table("primary"))
