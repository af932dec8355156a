"""The suite file as a whole, of the parts in `suite.file`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from promptbench.core.call_config import config_schema
from promptbench.suite.file import (
    MODEL_NAME,
    AllChecks,
    Checks,
    Forms,
    GateFile,
    Text,
    Texts,
    Threshold,
    Written,
    as_list,
    is_case_file,
)
from promptbench.suite.tool_fields import MaxStepsField, ToolResultsField

NO_PROMPT = "-"  # Stands for the `prompt:` of a suite with `steps:`, or with a judged model.


def _prompt_or_steps(schema: dict[str, Any]) -> None:
    # A suite with a judged model has neither, and a chain of functions no models besides them.
    alone = {"not": {"required": ["prompt", "steps"]}, "anyOf": [{"required": ["models"]}, {"required": ["steps"]}]}
    schema.update(alone, required=["suite"])


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


class ModelFile(Written):
    model: Text = Field(description="The model, as provider/name.", examples=["openai/gpt-5.4-mini"])
    own_name: Annotated[Text, Field(pattern=r"^[^\s/-][^\r\n\t/]*$")] | None = Field(
        default=None,
        alias="as",
        description="The name of this entry in reports, in the gate and for --model: one model may be there twice.",
        examples=["careful"],
    )
    config: Annotated[dict[str, Any], WithJsonSchema(config_schema())] = Field(
        default_factory=dict,
        description="Parameters of its calls, laid over the prompt's config; nothing after the colon removes one.",
        examples=[{"reasoning effort": "high", "max tokens": 800}],
    )
    prompt: Text | None = Field(
        default=None,
        description="A prompt of its own: the model is shown with that prompt, as a baseline, and is not judged.",
        examples=["short.prompt"],
    )
    trained_on: Texts = Field(
        default_factory=list,
        description="The manifests of the data that it was fine-tuned on, from `promptbench export`: no case of that "
        "data, or like it, runs on this model.",
        examples=["tuning.manifest.json"],
    )
    uses_prompt: bool | None = Field(
        default=None,
        description="false for a model of your own that gets the variables and no prompt.",
        examples=[False],
    )
    deterministic: bool | None = Field(
        default=None,
        description="true if the same request always gets the same answer: then each case runs once. Every run repeats "
        "one request to confirm it.",
        examples=[True],
    )
    judged: bool | None = Field(
        default=None,
        description="true for a function or service that the suite judges itself, in place of a prompt.",
        examples=[True],
    )
    files: Texts = Field(
        default_factory=list,
        description="Files that a judged function reads: part of its version.",
        examples=["weights.json"],
    )
    version: Text | None = Field(
        default=None, description="The version that a judged service must report.", examples=["2.1.0"]
    )
    production: Text | None = Field(
        default=None, description="Where a judged service is in production.", examples=["http/answers-live"]
    )
    fallback: Text | None = Field(
        default=None,
        description="The model to call instead in an outage; its answers are shown and prove nothing.",
        examples=["anthropic/claude-haiku-5-5"],
    )


class StepFile(Written):
    """A step of a chain: a prompt for the models of the suite, or a model of its own."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["step", "prompt"]}, {"required": ["step", "model"]}]}
    )

    step: Annotated[Text, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$")] = Field(
        description="The step's name: later prompts say {{steps.NAME}} for its answer, {{steps.NAME.field}} for a "
        "field of it.",
        examples=["candidates"],
    )
    prompt: Texts = Field(
        default_factory=list,
        description="The file of its prompt; a list or a pattern for several, each of which makes a candidate.",
        examples=["choose.prompt"],
    )
    model: Text | None = Field(
        default=None,
        description="A model of your own instead, which gets the variables and all 'steps' before it.",
        examples=["python/retriever.py:top5"],
    )
    files: Texts = Field(
        default_factory=list,
        description="Files that its model reads: they are part of the version, as its code is.",
        examples=["intents.csv"],
    )
    deterministic: bool | None = Field(
        default=None,
        description="true if its model always gives the same answer to the same input.",
        examples=[True],
    )
    at: Text | None = Field(
        default=None, description="The path of the value that its checks look at.", examples=["intents"]
    )
    checks: Checks = Field(
        default_factory=list,
        description="What the answer of this step must satisfy; {{expect.field}} and {{steps.NAME.field}} are values "
        "of the case and of earlier steps.",
        examples=[[{"contains": "{{expect.intent}}"}]],
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> StepFile:
        if bool(self.prompt) == bool(self.model) or (self.files and self.prompt):
            message = f"the step '{self.step}' needs 'prompt', or 'model' and its 'files', and not both"
            raise PydanticCustomError("step", "{message}", {"message": message})
        return self


class SuiteFile(Written):
    model_config = ConfigDict(json_schema_extra=_prompt_or_steps)

    suite: Text = Field(description="The suite's name; any short text.", examples=["triage"])
    about: Text | None = Field(
        default=None, description="What the task is, in one sentence.", examples=["which team answers a message"]
    )
    prompt: Annotated[Texts, Field(min_length=1)] = Field(
        description="The candidate's file, for example triage.prompt; a list or a pattern for several.",
        examples=["triage.prompt", ["triage.short.prompt", "triage.long.prompt"], "triage.*.prompt"],
    )
    steps: Annotated[list[StepFile], Field(min_length=1)] = Field(
        default_factory=list,
        description="A chain in place of 'prompt': steps in order, each with the answers of those before it.",
        examples=[
            [{"step": "candidates", "model": "python/top5.py:top5"}, {"step": "choose", "prompt": "choose.prompt"}]
        ],
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

    @model_validator(mode="before")
    @classmethod
    def _steps_stand_for_the_prompt(cls, data: Any) -> Any:
        return {**_stand_ins(data), **data} if isinstance(data, dict) else data


def _stand_ins(data: dict[str, Any]) -> dict[str, Any]:
    """Return what a suite without a prompt leaves out. A chain of functions is called by its last one, as its model."""
    models, steps = as_list(data.get("models")) or [], as_list(data.get("steps")) or []
    last = steps[-1] if steps and all(isinstance(step, dict) and step.get("model") for step in steps) else None
    own = {"models": [{key: last.get(key) for key in ("model", "deterministic")}]} if last else {}
    promptless = "steps" in data or any(isinstance(item, dict) and item.get("judged") for item in models)
    return {"prompt": NO_PROMPT, **own} if promptless else {}
