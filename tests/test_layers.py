"""A module imports only from layers before its own, or from its own."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "dolmino_cli"

# Lowest first; names on one line may not import each other. design.md draws the same picture.
LAYERS = [
    ["errors", "documents", "buffers", "siphash", "hidden"],
    ["bundled", "hub", "strict_yaml", "kernels"],
    ["shards"],
    ["executors"],
    ["tokenizer"],
    ["stages"],
    ["recipe"],
    ["pipeline"],
    ["sources"],
    ["tokens"],
    ["mix"],
    ["train"],
    ["report"],
    ["cli"],
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def layer_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "dolmino_cli" and len(parts) > 1 else None


def imports_of(path: Path) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}:{node.lineno}: relative import; write the full name"
            deeper = [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "dolmino_cli" else [node.module]
            found += [(node.lineno, name) for name in deeper]
    return found


def test_imports_point_one_way() -> None:
    wrong = []
    for path in sorted(PACKAGE.rglob("*.py")):
        own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if own == "__init__":
            continue
        assert own in LEVEL, f"{path}: a new layer; give it a place in LAYERS"
        for line, module in imports_of(path):
            target = layer_of(module)
            if target in (None, "__version__", own):
                continue
            if LEVEL[target] >= LEVEL[own]:  # type: ignore[index]
                wrong.append(f"{path.relative_to(PACKAGE)}:{line}: {own} imports {target}")
    assert wrong == []


def test_nothing_imports_cli() -> None:
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.is_relative_to(PACKAGE / "cli"):
            continue
        assert all(layer_of(module) != "cli" for _, module in imports_of(path)), path


def test_train_stands_apart() -> None:
    for path in sorted((PACKAGE / "train").rglob("*.py")):
        reached = {layer_of(module) for _, module in imports_of(path)}
        assert not reached & {"shards", "stages", "pipeline"}, path
