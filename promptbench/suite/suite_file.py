"""The suite file as a whole, of the parts in `suite.file`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from promptbench.core.call_config import config_schema
from promptbench.suite.file import (
    MODEL_NAME,
    AllChecks,
    Forms,
    GateFile,
    ModelFile,
    Text,
    Texts,
    Threshold,
    Written,
    as_list,
    is_case_file,
)
from promptbench.suite.tool_fields import MaxStepsField, ToolResultsField


class DefaultsFile(Written):
    vars: dict[str, Any] = Field(
        default_factory=dict,
        description="Values of variables, for the cases that have none of their own.",
        examples=[{"language": "English"}],
    )
    config: Annotated[dict[str, Any], WithJsonSchema(config_schema())] = Field(
        default_factory=dict,
        description="Parameters of calls, below the prompt's own config and that of a model.",
        examples=[{"max tokens": 800}],
    )


class SuiteFile(Written):
    suite: Text = Field(description="The suite's name; any short text.", examples=["triage"])
    about: Text | None = Field(
        default=None, description="What the task is, in one sentence.", examples=["which team answers a message"]
    )
    prompt: Annotated[Texts, Field(min_length=1)] = Field(
        description="The candidate's file, for example triage.prompt; a list or a pattern for several.",
        examples=["triage.prompt", ["triage.short.prompt", "triage.long.prompt"], "triage.*.prompt"],
    )
    models: Annotated[
        list[
            Annotated[
                ModelFile,
                BeforeValidator(lambda value: {"model": value} if isinstance(value, str) else value),
                Forms(MODEL_NAME),
            ]
        ],
        BeforeValidator(as_list),
        Field(min_length=1),
        Forms(or_list=True),
    ] = Field(
        description="The models to call, as provider/name.", examples=[["gguf/smollm2-135m", "openai/gpt-5.4-mini"]]
    )
    defaults: DefaultsFile = Field(
        default_factory=DefaultsFile,
        description="What cases and calls get that do not say otherwise.",
        examples=[{"vars": {"language": "English"}}],
    )
    use_checks: Texts = Field(
        default_factory=list,
        description="Files with named checks, from this file's folder; `use: NAME` under `checks:` stands for them.",
        examples=["../checks.yaml"],
    )
    checks: AllChecks = Field(default_factory=list)
    threshold: Threshold = None
    at: Text | None = Field(
        default=None,
        description="The path of the value that all checks look at, for answers with more around it.",
        examples=["result", "choices[0].message"],
    )
    tool_results: ToolResultsField = None
    max_steps: MaxStepsField = 8
    log: Texts = Field(
        default_factory=list,
        description="Logs next to this file; their failing calls are replayed as cases.",
        examples=["failing-log.jsonl"],
    )
    accept: Literal["raw", "extracted", "repaired safe"] = Field(
        default="extracted",
        description="How far a JSON answer may be from clean JSON and still be readable.",
        examples=["extracted"],
    )
    # Each is validated as a CaseFile of its own; a text is the name of a file with cases.
    cases: Annotated[list[Any], BeforeValidator(lambda value: [value] if is_case_file(value) else value)] = Field(
        default_factory=list,
        description="What goes in and what should come back; or .jsonl, .csv, .xlsx or .yaml files next to this one.",
        examples=[
            [{"case": "late parcel", "vars": {"message": "Where is it?"}, "expect": {"team": "delivery"}}],
            "cases.csv",
            ["common.jsonl", "more/*.yaml"],
        ],
    )
    gate: GateFile = Field(
        default_factory=GateFile,
        description="What a candidate must meet to pass.",
        examples=[{"repeats": 5, "max cost": "$2"}],
    )
