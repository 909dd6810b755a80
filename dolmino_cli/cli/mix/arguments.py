"""What several verbs over mixes take."""

from __future__ import annotations

from typing import Annotated

import typer

MixArgument = Annotated[
    str, typer.Argument(metavar="MIX", help="A bundled mix's name, or the path of your own YAML.", show_default=False)
]
Scale = Annotated[
    float, typer.Option("--scale", metavar="X", help="Take X times as many tokens of every source, 1e-4 for a small trial.")
]
