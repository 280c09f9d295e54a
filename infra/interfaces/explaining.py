"""Schemas with the meaning and the form of each of their members, by the words of the glossary."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from infra.interfaces.words import Word
from infra.interfaces.words_more import GLOSSARY

_SOURCES = re.compile(r" \((contract, |decisions? \d)[^)]*\)")
"""Where a docstring names the source of a rule, which readers of the documents do not have."""


def explained(schemas: Mapping[str, Any], used: set[str] | None = None) -> dict[str, Any]:
    """Return the schemas with each member's meaning and form; `used` gathers the words that were needed.

    Raises:
        KeyError: a member has no word.
    """
    return {
        name: _explained(name, schema, used if used is not None else set()) for name, schema in sorted(schemas.items())
    }


def _explained(model: str, schema: Mapping[str, Any], used: set[str]) -> dict[str, Any]:
    said = {name: value for name, value in schema.items() if name != "title"}
    if "description" in said:
        said["description"] = _SOURCES.sub("", said["description"])
    if "properties" in said:
        said["properties"] = {
            member: _member(form, _word(model, member, used)) for member, form in said["properties"].items()
        }
    return said


def _word(model: str, member: str, used: set[str]) -> Word:
    name = next((name for name in (f"{model}.{member}", member) if name in GLOSSARY), None)
    if name is None:
        raise KeyError(f"{model}.{member} has no word in the glossary")
    used.add(name)
    return GLOSSARY[name]


def _member(schema: Mapping[str, Any], word: Word) -> dict[str, Any]:
    said = {name: value for name, value in schema.items() if name not in ("title", "default")}
    for branch in _bare(said):
        branch.update(word.form)
    return {"description": word.meaning, **said}


def _bare(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the parts of a member's schema that say no more than text or number."""
    if "anyOf" in schema:
        schema["anyOf"] = [dict(branch) for branch in schema["anyOf"]]
        for branch in schema["anyOf"]:
            yield from _bare(branch)
    elif schema in ({"type": "string"}, {"type": "integer"}, {"type": "number"}):
        yield schema
