"""The outcomes of a batch: a result or an error for each element."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, overload

from nearfield.errors import NearfieldError

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Batch(Sequence[T_co | NearfieldError], Generic[T_co]):
    """The outcome of each element of a batch, in the order of the request."""

    outcomes: tuple[T_co | NearfieldError, ...]
    """A result or an error for each element."""

    def __len__(self) -> int:
        return len(self.outcomes)

    def __iter__(self) -> Iterator[T_co | NearfieldError]:
        return iter(self.outcomes)

    @overload
    def __getitem__(self, index: int) -> T_co | NearfieldError: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T_co | NearfieldError, ...]: ...
    def __getitem__(
        self, index: int | slice
    ) -> T_co | NearfieldError | tuple[T_co | NearfieldError, ...]:
        """Give the outcome of one element, or of several."""
        return self.outcomes[index]

    @property
    def errors(self) -> Mapping[int, NearfieldError]:
        """The errors, by their place in the batch."""
        return {i: each for i, each in enumerate(self) if isinstance(each, NearfieldError)}

    @property
    def succeeded(self) -> Mapping[int, T_co]:
        """The results, by their place in the batch."""
        return {i: each for i, each in enumerate(self) if not isinstance(each, NearfieldError)}

    def results(self) -> tuple[T_co, ...]:
        """Give every result, where there is no error.

        Raises:
            NearfieldError: the first error of the batch, with a note that says where it was.
        """
        failed = self.errors
        for place, error in failed.items():
            error.add_note(f"element {place} of {len(self)}; {len(failed)} failed")
            raise error
        return tuple(self.succeeded.values())
