"""How a setup talks with the user: every question has a default."""

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Talk(Protocol):
    """Tells, and asks. What is told may come from a camera, so whoever shows it makes it harmless."""

    @property
    def attended(self) -> bool:
        """True where somebody is there to answer."""

    def tell(self, text: str) -> None:
        """Show a line."""

    def ask(self, question: str, default: str, read: Callable[[str], T]) -> T:
        """What `read` makes of the answer, or of the default; where it raises ConfigError, asked again."""

    def secret(self, question: str) -> str:
        """An answer that is not shown; empty where there is none."""
