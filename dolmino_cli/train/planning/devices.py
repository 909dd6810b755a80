"""GPUs by name: what they can compute, hold and draw. A device that is not in the table has no figures: none are guessed."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Device:
    """One kind of GPU; figures are its maker's."""

    name: str
    """As one says it: `H200`."""
    pattern: str
    """Of the name that the driver gives it, whole."""
    peak: float
    """Dense bf16 operations per second (no sparsity)."""
    memory_bytes: int
    watts: int
    """The board's limit as shipped."""


def _device(name: str, pattern: str, teraflops: float, gigabytes: int, watts: int) -> Device:
    return Device(name=name, pattern=pattern, peak=teraflops * 1e12, memory_bytes=gigabytes * 10**9, watts=watts)


# NVIDIA's data sheets. OLMo-core takes every device that is not an H100 or B200 for an A100, which makes an H200's MFU 3.17 times
# too large (training-definitions, 0.7); here an unknown one has no MFU.
DEVICES = (
    _device("A100", r"(NVIDIA )?A100-SXM4-40GB", 312, 40, 400),
    _device("A100-80GB", r"(NVIDIA )?A100-SXM.-80GB", 312, 80, 400),
    _device("A100-PCIe-80GB", r"(NVIDIA )?A100 80GB PCIe", 312, 80, 300),
    _device("H100", r"NVIDIA H100 80GB HBM3", 989, 80, 700),
    _device("H100-PCIe", r"NVIDIA H100 PCIe", 756, 80, 350),
    _device("H100-NVL", r"NVIDIA H100 NVL", 835, 94, 400),
    _device("H200", r"NVIDIA H200", 989, 141, 700),
    _device("H200-NVL", r"NVIDIA H200 NVL", 835, 141, 600),
    _device("GH200", r"NVIDIA GH200 480GB", 989, 96, 700),
    _device("B200", r"NVIDIA B200", 2250, 180, 1000),
)


def device_named(name: str) -> Device | None:
    """The device of a driver's name (`NVIDIA H200`) or of ours (`H200`); None for one that is not in the table."""
    for device in DEVICES:
        if device.name.lower() == name.strip().lower() or re.fullmatch(device.pattern, name.strip()):
            return device
    return None


@dataclass(frozen=True, kw_only=True)
class FoundGPU:
    """The first GPU of this machine."""

    name: str
    memory_bytes: int
    watts: float | None
    """Its present power limit, which a site may have set below the board's."""


def found_gpu() -> FoundGPU | None:
    """This machine's first GPU as its driver says, without touching it; None where there is no `nvidia-smi` or no GPU."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return None
    query = [command, "--query-gpu=name,memory.total,power.limit", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=30, check=True)
        name, mebibytes, watts = done.stdout.splitlines()[0].split(", ")
        return FoundGPU(name=name, memory_bytes=int(mebibytes) << 20, watts=float(watts) if watts[:1].isdigit() else None)
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
