"""The runners of a search's trials: processes on this machine, or a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable

from materialsdock.errors import InputError
from materialsdock.optimisation.processes import Executor, TrialExecutor


def trial_executor(
    *,
    workers: int = 2,
    time_limit_s: float = 60.0,
    warm_up: Callable[[], None] | None = None,
    scheduler_address: str | None = None,
) -> TrialExecutor:
    """Processes on this machine, or the Dask cluster at `scheduler_address` ("tcp://host:8786").

    Raises InputError when a cluster is wanted and the extra `dask` is not installed.
    """
    if scheduler_address is None:
        return Executor(workers=workers, time_limit_s=time_limit_s, warm_up=warm_up)
    try:
        from materialsdock.optimisation.dask_executor import DaskExecutor
    except ModuleNotFoundError as error:
        raise InputError(
            f"no {error.name} for the Dask cluster {scheduler_address}",
            where="executor of trials",
            remedy="pip install 'materialsdock[dask]', or use executor = \"local\"",
        ) from error
    return DaskExecutor(
        scheduler_address, workers=workers, time_limit_s=time_limit_s, warm_up=warm_up
    )
