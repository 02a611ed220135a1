"""Numbers for Prometheus, computed from ledger and heartbeats at each scrape; loopback only."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from materialsdock.errors import LedgerFault, Refused
from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.night.queue.states import STATES
from materialsdock.night.status.snapshot import Current, Status, snapshot

log = logging.getLogger(__name__)
LOOPBACK = "127.0.0.1"
WORDS = ("ready", "running", "holding", "paused", "stopping", "aborting", "fault", "offline")


def gauge(name: str, about: str, value: float | None) -> GaugeMetricFamily:
    """A gauge; without a value it is not exposed, which is not the same as zero."""
    family = GaugeMetricFamily(name, about)
    if value is not None:
        family.add_metric([], value)
    return family


def labelled(name: str, about: str, label: str, values: Mapping[Any, float]) -> GaugeMetricFamily:
    """A gauge for each value of a label."""
    family = GaugeMetricFamily(name, about, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def families(now: Status) -> Iterator[Metric]:
    """All that is known of a night at one moment."""
    points = CounterMetricFamily("md_points", "Observations in the ledger.")
    points.add_metric([], now.points)
    yield points
    states = {state: float(now.counts.get(state, 0)) for state in STATES}
    yield labelled("md_samples_total", "Samples in each state.", "state", states)
    daemon = {word: float(word == now.daemon) for word in WORDS}
    yield labelled("md_state", "1 for the present state of the night, else 0.", "state", daemon)
    severities = {s: float(sum(a.severity == s for a in now.alarms)) for s in ("warn", "critical")}
    yield labelled("md_alarms", "Alarms of this night.", "severity", severities)
    ages = {p.role: p.age_s for p in now.pulses if p.age_s is not None}
    about = "Seconds since the last heartbeat of the process."
    yield labelled("md_heartbeat_age_seconds", about, "role", ages)
    yield gauge("md_worker_heartbeat_age", about, ages.get("worker"))
    yield gauge("md_disk_free_bytes", "Free bytes on the disk of the ledger.", now.disk_free_bytes)
    yield gauge("md_lease_held", "1 when somebody has control, else 0.", now.lease is not None)
    for name, share in (("md_finish_p50_seconds", "p50_s"), ("md_finish_p90_seconds", "p90_s")):
        left = getattr(now.finish, share) if now.finish else 0.0
        yield gauge(name, "Seconds until everything is measured and analysed.", left)
    yield from of_sample(now.current)


def of_sample(current: Current | None) -> Iterator[Metric]:
    """The sample in the beam, while there is one."""
    if current is None:
        return
    yield gauge("md_lambda", "Error ratio lambda of the last decision.", current.lambda_t)
    yield gauge(
        "md_lambda_threshold", "Limit of lambda at which measuring stops.", current.threshold
    )
    yield gauge("md_sample_points", "Observations of the sample in the beam.", current.points)
    yield gauge(
        "md_sample_seconds",
        "Seconds of instrument time of the sample so far.",
        current.seconds_measured,
    )
    about = "Seconds since the last document of the sample."
    yield gauge("md_last_event_age_seconds", about, current.last_event_age_s)


class NightMetrics(Collector):
    """Reads the night at each scrape; a ledger that cannot be read is a number too."""

    def __init__(self, data: DataDirectory, ledger: Ledger) -> None:
        self._data, self._ledger = data, ledger

    def collect(self) -> Iterator[Metric]:
        """Yield what Prometheus gets."""
        began = time.monotonic()
        try:
            found = list(families(snapshot(self._data, self._ledger)))
        except LedgerFault as fault:
            log.warning("metrics: %s", fault)
            yield gauge("md_ledger_readable", "Whether the ledger can be read.", 0.0)
            return
        yield from found
        yield gauge("md_ledger_readable", "Whether the ledger can be read.", 1.0)
        yield gauge(
            "md_snapshot_seconds", "Seconds it took to read all metrics.", time.monotonic() - began
        )


@dataclass(frozen=True)
class Exporter:
    """A server of metrics that runs in a thread."""

    server: Any
    thread: threading.Thread
    ledger: Ledger

    @property
    def port(self) -> int:
        """The port on which it listens, on loopback."""
        return int(self.server.server_port)

    def close(self) -> None:
        """Stop it."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        self.ledger.close()


def serve(data: DataDirectory, port: int) -> Exporter:
    """Serve /metrics of a night on loopback; Refused when the port is taken."""
    registry, ledger = CollectorRegistry(auto_describe=False), Ledger(data.ledger)
    registry.register(NightMetrics(data, ledger))
    try:
        server, thread = start_http_server(port, addr=LOOPBACK, registry=registry)
    except OSError as error:
        ledger.close()
        raise Refused(
            f"port {port} is not free: {error.strerror}",
            where="metrics_port",
            remedy="choose another in the profile's [night] section, or 0 for none",
        ) from error
    return Exporter(server, thread, ledger)
