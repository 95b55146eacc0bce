"""Names that a package keeps to itself: looked up, or missed in a sentence."""

import importlib
import inspect
import types
from collections.abc import Callable
from typing import Any


class Package:
    """A package whose private names the library uses.

    Args:
        name: String, as in errors.
        read_in: String, the versions whose sources were read.
        installed: String, the version that is installed.
    """

    def __init__(self, name: str, read_in: str, installed: str) -> None:
        self._name = name
        self._read_in = read_in
        self._installed = installed

    def private(self, owner: Any, name: str) -> Any:
        """Returns an attribute.

        Raises:
            RuntimeError: If the installed version has no such attribute.
        """
        try:
            return getattr(owner, name)
        except AttributeError as error:
            named = isinstance(owner, (type, types.ModuleType))
            of = (owner if named else type(owner)).__name__
            raise self.error(f"`{of}.{name}`", "has none") from error

    def module(self, name: str) -> Any:
        """Returns a module.

        Raises:
            RuntimeError: If the installed version has no such module.
        """
        try:
            return importlib.import_module(name)
        except ImportError as error:
            raise self.error(f"`{name}`", "has none") from error

    def overriding(self, owner: type) -> Callable[[type], type]:
        """Returns a decorator of a class that overrides private methods.

        It checks that `owner` has these methods with the same parameters.

        Raises:
            RuntimeError: If the installed version has others.
        """

        def check(overrides: type) -> type:
            for name, method in vars(overrides).items():
                if name.startswith("__") or not name.startswith("_"):
                    continue
                theirs = inspect.signature(self.private(owner, name))
                if list(theirs.parameters) != list(
                    inspect.signature(method).parameters
                ):
                    raise self.error(
                        f"`{owner.__name__}.{name}{inspect.signature(method)}`",
                        f"has `{name}{theirs}`",
                    )
            return overrides

        return check

    def error(self, needed: str, but: str) -> RuntimeError:
        """Returns the error that the installed version is another one."""
        return RuntimeError(
            f"keras_sam uses {needed}, which is private to {self._name} and "
            f"was read in {self._name} {self._read_in}. {self._name} "
            f"{self._installed}, which is installed, {but}. Install a version "
            "that was read, or report the installed one to keras_sam"
        )
