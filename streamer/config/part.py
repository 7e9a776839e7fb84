"""What the parts of a configuration have in common: frozen, strict, and unknown keys are refused.

Types are strict: a text where a number is due is a mistake, not a number.
"""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo
from pydantic_core import PydanticCustomError

# Begins what pydantic says, in an error's place, of which kind it took a value for: no key can hold it.
TAG = "\0"
CLASS = r"^[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*$"


class Part(BaseModel):
    """A mapping in the configuration."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )

    @classmethod
    def written_keys(cls) -> list[str]:
        """What may be written in it."""
        return [field.alias or name for name, field in cls.model_fields.items()]

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        """Nothing: values may be secrets, and a repr ends up in logs."""
        return []


def refused(allowed: str) -> PydanticCustomError:
    """The error of a value that is not allowed; `allowed` says in words what is."""
    return PydanticCustomError("allowed", "{allowed}", {"allowed": allowed})


def wrong_at(path: tuple[str | int, ...], text: str) -> PydanticCustomError:
    """The error of one of several parts that do not suit each other, said where it stands."""
    return PydanticCustomError("wrong_at", "{text}", {"text": text, "path": path})


def beside(path: str, info: ValidationInfo) -> str:
    """Relative paths count from the folder that the configuration is in."""
    joined = str((info.context or {}).get("folder", Path()) / path)
    return f"{joined}/" if path.endswith("/") else joined  # a folder stays one
