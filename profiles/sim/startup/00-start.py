"""Startup of the simulated beamline, for IPython and for a stock RE Manager alike."""

from materialsdock.shell.session import start

session = start(globals(), "sim")


def learn(
    sample: str,
    stop: list[str] = [],  # noqa: B006 - the RE Manager wants a literal, nobody changes it
    count_time_s: float | None = None,
    seed: int = 0,
    live_plot: bool = False,
):
    """Measure one sample, choosing each next position from all that was measured so far.

    Parameters
    ----------
    sample : str
        Which one, by its name in `samples`.
    stop : list[str]
        KEY=VALUE words as on the command line, e.g. threshold=0.1 or maximum_points=200.
    count_time_s : float | None
        Counting time of a full scan per point, in seconds; None for that of the profile.
    seed : int
        Seed of the learner.
    live_plot : bool
        Whether to draw the readings as they come.
    """
    return (
        yield from session.learn(
            sample, stop=stop, count_time_s=count_time_s, seed=seed, live_plot=live_plot
        )
    )
