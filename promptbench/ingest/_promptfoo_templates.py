"""Conversion of Nunjucks, promptfoo's template language, to the syntax of prompt files.

| Nunjucks | prompt file |
|---|---|
| `{{ a.b }}`, `{{ a["b"] }}`, `{{ a[0] }}` | `{{a.b}}`, `{{a.b}}`, `{{a.0}}` |
| `{% if a %}`, `{% if not a %}`, `{% else %}` | `{{#if a}}`, `{{#unless a}}`, `{{else}}` |
| `{# comment #}` | nothing |
"""

import re
from collections.abc import Callable, Mapping

from promptbench.core.types import Json
from promptbench.text.templates import lookup, render_value

_TAG = re.compile(r"\{\{-?\s*(?P<value>.*?)\s*-?\}\}|\{%.*?%\}", re.DOTALL)
_STEP = re.compile(r"\[['\"]?(\w+)['\"]?\]")
_NAME = r"(?!(?:env|loop)\.)[A-Za-z_]\w*(?:\.\w+)*"
# A block without another block inside: the inner ones are converted first.
_BODY = r"(?:(?!\{%).)*"
_BLOCK = re.compile(
    rf"\{{%-?\s*if\s+(?P<negated>not\s+)?(?P<name>{_NAME})\s*-?%\}}(?P<body>{_BODY})"
    rf"(?:\{{%-?\s*else\s*-?%\}}(?P<other>{_BODY}))?\{{%-?\s*endif\s*-?%\}}",
    re.DOTALL,
)


def fill_known(value: Json, variables: Mapping[str, Json]) -> Json:
    """Return data with the values of variables in place of the tags that name them. Other tags are left."""

    def fill(tag: re.Match[str]) -> str:
        try:
            return render_value(lookup(tag["value"] or "", variables))
        except KeyError:
            return tag[0]

    if isinstance(value, dict):
        return {key: fill_known(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [fill_known(item, variables) for item in value]
    return _TAG.sub(fill, value) if isinstance(value, str) else value


def convert_template(text: str, count: Callable[[str, str], None]) -> str:
    """Return a Nunjucks template in the syntax of prompt files.

    `count` is called with each value and the reason why it has no equivalent, "" if it has one, and with each other
    tag without one. Such a tag is inserted as text; of a value with a filter, the value is inserted.
    """

    def convert_value(tag: re.Match[str]) -> str:
        expression, _, filters = (tag["value"] or "").partition("|")
        name = _STEP.sub(r".\1", expression.strip())
        if tag["value"] is None or not re.fullmatch(_NAME, name):
            return tag[0] if tag["value"] is None else keep(tag)
        is_plain = filters.strip() in ("", "safe")
        count(tag[0], "" if is_plain else "filters have no equivalent, the value is inserted as it is")
        return f"{{{{{name}}}}}"

    def keep(tag: re.Match[str]) -> str:
        count(tag[0], "this expression has no equivalent, it is in the prompt as text")
        return tag[0].replace("{{", r"\{{").replace("{%", "{ %")

    text = _TAG.sub(convert_value, re.sub(r"\{#.*?#\}", "", text, flags=re.DOTALL))
    while (outer := _BLOCK.sub(_convert_block, text)) != text:
        text = outer
    return re.sub(r"\{%.*?%\}", keep, text, flags=re.DOTALL)


def _convert_block(block: re.Match[str]) -> str:
    kind, other = "unless" if block["negated"] else "if", block["other"]
    otherwise = "" if other is None else f"{{{{else}}}}{other}"
    return f"{{{{#{kind} {block['name']}}}}}{block['body']}{otherwise}{{{{/{kind}}}}}"
