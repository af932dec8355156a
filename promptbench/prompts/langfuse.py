"""A prompt of Langfuse, as its API and SDKs return it, as the text of a prompt file."""

from promptbench.core.call_config import CONFIG, config_word
from promptbench.core.canonical import parse_json
from promptbench.core.errors import Code, Diagnostics
from promptbench.yaml.source import Source
from promptbench.yaml.text import in_braces, mapping_lines


def with_langfuse(source: Source, found: Diagnostics) -> Source:
    """Return the prompt file for a prompt of Langfuse in JSON. What no word of `config` is for becomes a comment."""
    try:
        data = parse_json(source.text)
        config, prompt = data.get("config") or {}, data["prompt"]
        known = {key: value for key, value in config.items() if config_word(key) in CONFIG}
        tools = {"tools": config["tools"]} if config.get("tools") else {}
        head = mapping_lines({**({"config": known} if known else {}), **tools}, 0)
        head += [f"# {key}: {in_braces(value)}" for key, value in config.items() if key not in (*known, "tools")]
        turns = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        body = [
            "{{history}}"
            if turn.get("type") == "placeholder"
            else f'{{{{role "{turn["role"].replace("developer", "system")}"}}}}\n{turn["content"]}'
            for turn in turns
        ]
    except (AttributeError, KeyError, TypeError, ValueError):
        hint = "write `langfuse.api.prompts.get(NAME)` to the file, or name a .prompt file"
        found.add(Code.PROMPT_SYNTAX, "this is not a prompt of Langfuse", source.location(1, 1), hint=hint)
        return source
    if "@@@langfusePrompt:" in source.text:
        found.add(Code.PROMPT_SYNTAX, "it inserts another prompt: export it resolved", source.location(1, 1))
    return Source(f"{source.path}.prompt", "\n".join(["---", *head, "---", *body, ""]))
