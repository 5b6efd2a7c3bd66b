"""A page's state and its link: every state can be written into the address and read back from it.

A state is a frozen pydantic model with a default for every field. Only what differs from the default is written. What
cannot be read is named in one sentence, and the default stands in for it.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

MAX_QUERY = 4_000
"""Characters of all parameters together; a longer link is refused before anything of it is read."""
RESERVED = ("view",)


class State(BaseModel):
    """Base of all page states: frozen, nothing unknown, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def positions(self) -> dict[str, float]:
        """Where the picture's controls stand, by key: a number field is moved by the control of its name."""
        return {k: v for k, v in self if isinstance(v, int | float)}

    def moved(self, values: Mapping[str, float], control: str | None) -> dict[str, Any]:
        """The fields to change when the hand leaves the controls at `values`, having let go of `control`."""
        fields = type(self).model_fields
        return {k: int(v) if fields[k].annotation is int else v for k, v in values.items() if k in fields}


StateT = TypeVar("StateT", bound=State)


def read(model: type[StateT], params: Mapping[str, str]) -> tuple[StateT, list[str]]:
    """The state that a link's parameters describe, and a sentence for each parameter that is not allowed."""
    asked = {k: v for k, v in params.items() if k not in RESERVED}
    size = sum(len(k) + len(v) for k, v in asked.items())
    if size > MAX_QUERY:
        return model(), [f"The link is {size} characters long; at most {MAX_QUERY} are read, so the default is shown."]
    problems: list[str] = []
    good: dict[str, Any] = {}
    for name, text in asked.items():
        if name not in model.model_fields:
            known = ", ".join(model.model_fields) or "none"
            problems.append(f"The link's parameter “{_short(name)}” is not known here; known are {known}.")
            continue
        try:
            good[name] = getattr(model.model_validate({name: text}), name)
        except ValidationError as error:
            if error.errors()[0]["loc"]:
                problems.append(_sentence(name, text, model.model_fields[name], error))
            else:  # allowed by itself; whether it fits the others is asked below
                good[name] = text
    try:
        return model(**good), problems
    except ValidationError as error:
        return model(), [*problems, f"The link's values do not fit together: {_reason(error)}; the default is shown."]


def write(state: State) -> dict[str, str]:
    """The parameters of a state: the fields that differ from the default, as short text."""
    default = type(state)()
    fields = type(state).model_fields
    return {k: _text(getattr(state, k)) for k in fields if getattr(state, k) != getattr(default, k)}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return format(value, ".6g") if isinstance(value, float) else str(value)


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}…"


def _reason(error: ValidationError) -> str:
    return str(error.errors()[0]["msg"]).removeprefix("Value error, ")


def _sentence(name: str, text: str, field: FieldInfo, error: ValidationError) -> str:
    allowed = allowed_values(field)
    why = f"allowed is {allowed}" if allowed else _reason(error)
    used = _text(field.default)
    used = used if 0 < len(used) <= 40 else "the default"
    return f"The link's {name} = “{_short(text)}” is not allowed: {why}; {used} is used instead."


def allowed_values(field: FieldInfo) -> str:
    """What a field allows, in words; empty when its own message says it better."""
    if get_origin(field.annotation) is Literal:
        return "one of " + ", ".join(str(v) for v in get_args(field.annotation))
    if field.annotation is bool:
        return "0 or 1"
    low = next((m.ge for m in field.metadata if hasattr(m, "ge")), None)
    high = next((m.le for m in field.metadata if hasattr(m, "le")), None)
    if low is None or high is None:
        return ""
    return f"a {'whole ' if field.annotation is int else ''}number from {low:g} to {high:g}"
