"""Drives a tracking server with concurrent clients that keep their connections, each logging to a run of its own."""

from __future__ import annotations

import http.client
import itertools
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import urlsplit

API = "/api/2.0/mlflow"
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Slice:
    """What one server did in one slice of time: requests per second over all clients, and latencies in milliseconds."""

    count: int
    rate: float
    p50: float
    p95: float


@dataclass
class Client:
    """One kept-alive connection and one run."""

    url: str
    headers: Mapping[str, str]
    run_id: str = ""
    _steps: itertools.count[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=TIMEOUT_SECONDS)

    def post(self, path: str, body: Mapping[str, object]) -> bytes:
        """The answer's body.

        Raises:
            RuntimeError: the server answered with anything but 200.
        """
        headers = {"Content-Type": "application/json", **self.headers}
        self._connection.request("POST", API + path, json.dumps(body), headers)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status != http.client.OK:
            raise RuntimeError(f"POST {self.url}{API}{path}: HTTP {response.status} {answer[:300]!r}")
        return answer

    def log_metric(self) -> None:
        """One value of one metric."""
        step = next(self._steps)
        metric = {"key": "loss", "value": 1 / (step + 1), "timestamp": _now(), "step": step}
        self.post("/runs/log-metric", {"run_id": self.run_id, **metric})

    def log_batch(self) -> None:
        """One value each of 100 metrics."""
        step, now = next(self._steps), _now()
        metrics = [{"key": f"m{i}", "value": step + i, "timestamp": now, "step": step} for i in range(100)]
        self.post("/runs/log-batch", {"run_id": self.run_id, "metrics": metrics})

    def close(self) -> None:
        """Closes the connection; the next request opens another."""
        self._connection.close()


REQUESTS: Mapping[str, Callable[[Client], None]] = {"log_metric": Client.log_metric, "log_batch_100": Client.log_batch}


def _now() -> int:
    return int(time.time() * 1000)


def clients(url: str, headers: Mapping[str, str], count: int) -> list[Client]:
    """`count` clients with a run each, all in one new experiment."""
    made = [Client(url, headers) for _ in range(count)]
    name = f"benchmark {time.time_ns()}"
    experiment = json.loads(made[0].post("/experiments/create", {"name": name}))["experiment_id"]
    for client in made:
        run = json.loads(client.post("/runs/create", {"experiment_id": experiment, "start_time": _now()}))
        client.run_id = run["run"]["info"]["run_id"]
    return made


def drive(group: Sequence[Client], request: Callable[[Client], None], seconds: float) -> Slice:
    """Lets every client send `request` again and again for `seconds`, over a connection of its own from now on."""
    for client in group:
        client.close()  # a server may have closed it while it was idle
    start = time.perf_counter()

    def loop(client: Client) -> list[float]:
        latencies, now = [], time.perf_counter()
        while now - start < seconds:
            request(client)
            latencies.append(-now + (now := time.perf_counter()))
        return latencies

    with ThreadPoolExecutor(len(group)) as pool:
        latencies = [each for part in pool.map(loop, group) for each in part]
    elapsed = time.perf_counter() - start
    percentiles = statistics.quantiles(latencies, n=20)
    return Slice(len(latencies), rate=len(latencies) / elapsed, p50=percentiles[9] * 1000, p95=percentiles[18] * 1000)
