"""What every code means that a message can carry: the rules of a cell, and the types of an error."""

import inspect
import textwrap
from dataclasses import dataclass

from work_data_hub import errors
from work_data_hub.domain.rules import RULES, Rule
from work_data_hub.errors import WorkDataHubError


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A code as messages write it, its title, the lines that say what holds, and a paragraph."""

    code: str
    title: str
    lines: tuple[str, ...]
    paragraph: str

    def __str__(self) -> str:
        wrapped = textwrap.fill(self.paragraph, 100, initial_indent="  ", subsequent_indent="  ")
        return "\n".join([f"{self.code}  {self.title}", *(f"  {line}" for line in self.lines), wrapped])


def explanations() -> dict[str, Explanation]:
    """Every explanation by its code: the rules first, then the error types as they print in brackets."""
    found = [*map(_of_rule, RULES.values()), *map(_of_error, _kinds_of_error())]
    return {explanation.code: explanation for explanation in found}


def _of_rule(rule: Rule) -> Explanation:
    lines = (f"rule: {rule.requirement}", f"hint: {rule.hint}")
    return Explanation(code=rule.code, title=rule.title, lines=lines, paragraph=rule.why)


def _of_error(kind: type[WorkDataHubError]) -> Explanation:
    title, _, paragraph = inspect.cleandoc(kind.__doc__ or "").partition("\n\n")
    return Explanation(
        code=kind("").error_type,
        title=title,
        lines=(f"exit code: {kind.exit_code}",),
        paragraph=" ".join(paragraph.split()),
    )


def _kinds_of_error() -> list[type[WorkDataHubError]]:
    kinds = (kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, WorkDataHubError))
    return sorted(kinds, key=lambda kind: (kind.exit_code, inspect.getsourcelines(kind)[1]))
