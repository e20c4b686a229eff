"""A Kubernetes control plane on loopback: etcd, the API server and the controller manager, without any node.

Real schemas, admission, RBAC and controllers; pods are made and stay unscheduled. Certificates, keys and tokens are
made for one run and live in a directory that only its owner can read.
"""

from __future__ import annotations

import secrets
import ssl
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from kubernetes import client, config, dynamic
from tenacity import retry, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from tests.support.postgres import certify, free_port
from tools import catalogue

ADMIN = "admin"


@dataclass
class ControlPlane:
    """`folder` is empty and private; `client` speaks as a member of system:masters once `start` has returned."""

    folder: Path
    port: int = field(default_factory=free_port)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        """Starts all three; returns when the API server is ready."""
        self._certificate, self._key = certify(self.folder)
        etcd_url = f"http://127.0.0.1:{free_port()}"
        self._run(
            "etcd",
            *(f"--data-dir={self.folder / 'etcd'}", "--unsafe-no-fsync"),
            *(f"--listen-client-urls={etcd_url}", f"--advertise-client-urls={etcd_url}"),
            f"--listen-peer-urls=http://127.0.0.1:{free_port()}",
        )
        signing = self._signing_key()
        self._run(
            "kube-apiserver",
            *(f"--etcd-servers={etcd_url}", "--bind-address=127.0.0.1", f"--secure-port={self.port}"),
            *(f"--tls-cert-file={self._certificate}", f"--tls-private-key-file={self._key}"),
            *(f"--token-auth-file={self._token_file()}", "--authorization-mode=RBAC", "--anonymous-auth=false"),
            *("--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range=10.96.0.0/16"),
            *(f"--service-account-key-file={signing}", f"--service-account-signing-key-file={signing}"),
            "--enable-priority-and-fairness=false",
        )
        self._wait()
        kubeconfig = self._kubeconfig("system:kube-controller-manager")
        self._run(
            "kube-controller-manager",
            *(f"--kubeconfig={kubeconfig}", f"--service-account-private-key-file={signing}"),
            *(f"--root-ca-file={self._certificate}", f"--cert-dir={self.folder / 'controller-manager'}"),
            *("--bind-address=127.0.0.1", f"--secure-port={free_port()}", "--leader-elect=false"),
            "--use-service-account-credentials",
        )

    def stop(self) -> None:
        """Ends what `start` has started, the API server before its store."""
        for process in reversed(self.processes):
            process.terminate()
            process.wait(timeout=30)

    def client(self) -> dynamic.DynamicClient:
        """A client for every kind that the API server knows."""
        loaded = config.new_client_from_config(str(self._kubeconfig(ADMIN)))
        return dynamic.DynamicClient(loaded)

    def api(self) -> client.ApiClient:
        """A client of the typed kind."""
        return config.new_client_from_config(str(self._kubeconfig(ADMIN)))

    def _run(self, name: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes.append(subprocess.Popen([catalogue.locate(name), *arguments], stdout=log, stderr=log))

    @retry(
        stop=stop_after_delay(60),
        wait=wait_fixed(0.2),
        retry=retry_if_exception_type(httpx.TransportError) | retry_if_result(lambda status: status != 200),
    )
    def _wait(self) -> int:
        headers = {"Authorization": f"Bearer {self.tokens[ADMIN]}"}
        verify = ssl.create_default_context(cafile=self._certificate)
        return httpx.get(f"https://localhost:{self.port}/readyz", headers=headers, verify=verify).status_code

    def _token_file(self) -> Path:
        groups = {ADMIN: "system:masters", "system:kube-controller-manager": ""}
        self.tokens = {user: secrets.token_urlsafe(32) for user in groups}
        path = self.folder / "tokens.csv"
        path.write_text("".join(f"{self.tokens[user]},{user},{user},{group}\n" for user, group in groups.items()))
        return path

    def _signing_key(self) -> Path:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        path = self.folder / "service-account.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
        return path

    def _kubeconfig(self, user: str) -> Path:
        path = self.folder / f"{user.replace(':', '-')}.kubeconfig"
        server = {"server": f"https://localhost:{self.port}", "certificate-authority": str(self._certificate)}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": server}],
            "users": [{"name": user, "user": {"token": self.tokens[user]}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
            "current-context": "test",
        }
        path.write_text(yaml.safe_dump(document))
        return path
