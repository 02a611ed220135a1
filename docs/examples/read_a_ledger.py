"""Read what a night measured from its ledger: jobs, verdicts, counts.

    python read_a_ledger.py materialsdock-data

The ledger is opened while a night writes to it, too.
"""

import sys
from pathlib import Path

import numpy as np

from materialsdock.ledger.ledger import Ledger

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "materialsdock-data")
with Ledger(folder / "ledger.sqlite") as ledger:
    for job in ledger.jobs():
        observations, decisions = ledger.observations(job.job_id), ledger.decisions(job.job_id)
        print(f"{job.job_id}: {job.sample.name}, {job.sample.technique}, seed {job.seed}")
        if not observations:
            continue
        x = np.array([o.x for o in observations])
        seconds = sum(o.count_time_s for o in observations)
        unit = job.settings["axis"]["unit"]
        print(f"  {x.size} counts from {x.min():g} to {x.max():g} {unit}, {seconds:.0f} s counted")
        if decisions:
            print(f"  {decisions[-1].verdict.reason}")
        print(f"  analysed: {'yes' if ledger.outcome(job.job_id) else 'not yet'}")
