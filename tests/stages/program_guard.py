"""Every attack through the stage, in a process that watches itself: what became of it, CPU seconds, memory, events of Python's.

Run as `python -m tests.stages.program_guard reindent|as_is`, in a folder of its own; prints JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import tracemalloc
from pathlib import Path

from dolmino_cli.stages.program import Program
from tests.stages.conftest import batch_of
from tests.stages.program_attacks import corpus
from tests.stages.program_cases import program

REPEATS = 3  # The least of these counts: what else the machine does makes a run longer, never shorter.
MOST_SECONDS = 60  # Of this process; the whole corpus takes 3.
MORE_MEMORY = 256 << 20  # Beyond what the libraries have taken; a process that asks for more ends in an error.


def data_bytes() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmData:")[2].split()[0]) << 10


def main(reindent: bool) -> None:
    stage = Program(reindent=reindent)
    attacks = corpus()
    batches = {name: batch_of(text) for name, (text, _) in attacks.items()}
    stage.edit(batch_of(program("x = 1 + 1"), program("x = (")))  # imports what is imported once

    asked: list[str] = []
    watching = False

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        # Parsing is announced as compile, executing what was compiled as exec. For the line of a syntax error the parser looks
        # into the file that the code came from, which has no name here.
        if watching and event != "compile" and (event, arguments[:1]) != ("open", ("",)):
            asked.append(f"{event} {arguments[:1]}")

    sys.addaudithook(watch)
    most = data_bytes() + MORE_MEMORY
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
    resident_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = {}
    for name, batch in batches.items():
        seconds = []
        for _ in range(REPEATS):
            watching, started = True, time.process_time()
            edited = stage.edit(batch)
            seconds.append(time.process_time() - started)
            watching = False
        tracemalloc.start()
        stage.edit(batch)
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        reason = stage.reasons[edited.dropped[0]] if edited.dropped[0] >= 0 else f"= {edited.metadata[0]['program']['result']}"  # type: ignore[index]
        found[name] = {"became": reason, "seconds": min(seconds), "peak_bytes": peak_bytes, "asked": asked[:]}
        asked.clear()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident_before
    print(json.dumps({"attacks": found, "resident_growth_kb": grown}))


if __name__ == "__main__":
    main(sys.argv[1] == "reindent")
