"""Black-box search without a subject: processes, Dask, storages."""
