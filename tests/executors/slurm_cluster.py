"""A real Slurm on this machine for tests: munged, slurmctld, two slurmd (nodes n1 and n2), in a folder, with ports of their own.

    python -m tests.executors.slurm_cluster -- COMMAND        runs COMMAND with such a cluster

It needs root, and Debian's slurm-wlm and munge, which `install` gets with apt-get where they are missing. systemd is not used,
nor anything in /etc; several clusters can be there at once.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel", "sinfo")
# Programs of Slurm and munge lie in /usr/sbin, which a user's PATH may lack.
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
NODES = ("n1", "n2")
CPUS_PER_NODE = 4

CONFIGURATION = """
ClusterName=dolmino
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={control_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,batch_sched_delay=0
ReturnToService=2
KillWait=2
MessageTimeout=100
BatchStartTimeout=120
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
PartitionName=main Nodes={names} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str | None:
    """Why there can be no cluster here; None where there can."""
    if os.geteuid() != 0:
        return "a Slurm cluster of one machine needs root"
    absent = [program for program in PROGRAMS if shutil.which(program, path=_PATH) is None]
    return f"no {', '.join(absent)} on this machine: apt-get install slurm-wlm munge" if absent else None


def install() -> str | None:
    """Get what is missing with apt-get; returns why there can be no cluster, or None."""
    if missing() is not None and os.geteuid() == 0 and shutil.which("apt-get"):
        settings = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (
            ["apt-get", "update", "-q"],
            ["apt-get", "install", "-qy", "--no-install-recommends", "slurm-wlm", "munge"],
        ):
            done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
            if done.returncode:
                return f"{' '.join(command)}: {done.stderr.strip().splitlines()[-1:]}"
    return missing()


class SlurmCluster:
    """Two nodes while the context is open; `environment` is what clients need. Nothing is left of it afterwards."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dolmino-slurm-"))
        self.environment = {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": _PATH}
        self._pids = [self.folder / f"{name}.pid" for name in ("slurmctld", *(f"slurmd.{node}" for node in NODES), "munged")]

    def client(self, *command: str) -> str:
        """What a program of Slurm says."""
        settings = {**os.environ, **self.environment}
        return subprocess.run(command, env=settings, capture_output=True, text=True, check=True, timeout=120).stdout

    def __enter__(self) -> SlurmCluster:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop()

    def _start(self) -> None:
        folder = self.folder
        folder.chmod(0o755)  # munge wants nobody else to write there
        (folder / "state").mkdir()
        key = folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        files = [f"--{name}={folder}/{file}" for name, file in _MUNGE_FILES.items()]
        self._run("munged", "--force", *files)
        host = socket.gethostname().split(".")[0]
        ports = _free_ports(1 + len(NODES))
        text = CONFIGURATION.format(host=host, folder=folder, control_port=ports[0], names=",".join(NODES))
        for node, port in zip(NODES, ports[1:], strict=True):
            text += f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={CPUS_PER_NODE} RealMemory=2000\n"
        configuration = folder / "slurm.conf"
        configuration.write_text(text)
        self._run("slurmctld", "-f", str(configuration))
        for node in NODES:
            self._run("slurmd", "-f", str(configuration), "-N", node)
        deadline = time.monotonic() + 120
        while self.client("sinfo", "-h", "-t", "idle", "-o", "%D").strip() != str(len(NODES)):
            if time.monotonic() > deadline:
                raise RuntimeError(f"nodes are not ready: {self.client('sinfo')}\n{self._logs()}")
            time.sleep(0.1)

    def _run(self, program: str, *arguments: str) -> None:
        found = shutil.which(program, path=_PATH)
        assert found is not None, missing()
        # They go on in the background, and would keep pipes open for ever.
        settings = {**os.environ, **self.environment}
        with (self.folder / "start.log").open("ab") as log:
            done = subprocess.run([found, *arguments], env=settings, stdout=log, stderr=log, timeout=120, check=False)
        if done.returncode:
            raise RuntimeError(f"{program} ended with {done.returncode}:\n{self._logs()}")

    def _logs(self) -> str:
        return "\n".join(f"{log.name}: {log.read_text(errors='replace')[-2000:]}" for log in sorted(self.folder.glob("*.log")))

    def _stop(self) -> None:
        if (self.folder / "slurmctld.pid").exists():
            with contextlib.suppress(subprocess.SubprocessError):
                self.client("scancel", "--user=root", "--signal=KILL")
        for file in self._pids:
            with contextlib.suppress(OSError, ValueError):
                pid = int(file.read_text())
                os.kill(pid, signal.SIGTERM)
                _wait_for_end(pid)
        shutil.rmtree(self.folder, ignore_errors=True)


_MUNGE_FILES = {
    "socket": "munge.sock",
    "key-file": "munge.key",
    "pid-file": "munged.pid",
    "log-file": "munged.log",
    "seed-file": "munged.seed",
}


def _free_ports(count: int) -> list[int]:
    """Ports that nobody has, below those that the kernel gives to whoever asks for any: the programs take them seconds later."""
    found: list[int] = []
    for port in random.sample(range(10_000, 32_768), 1000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError("no free ports from 10000 to 32767")


def _wait_for_end(pid: int, seconds: float = 1) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def main() -> int:
    """Run the command that is given with a cluster."""
    reason = install()
    if reason is not None:
        sys.stderr.write(f"skipped: {reason}\n")
        return 0
    command = sys.argv[sys.argv.index("--") + 1 :]
    with SlurmCluster() as cluster:
        return subprocess.run(command, env={**os.environ, **cluster.environment}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
