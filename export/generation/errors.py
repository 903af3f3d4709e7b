"""Everything that can be wrong with a generation, in one tree.

GenerationError
├── GenerationMissingError      no generation there, or one of its files is not
├── GenerationCorruptError      a file was cut short, altered, or is not what its name says
├── GenerationTooNewError       a later program wrote it
├── GenerationUnsupportedError  it asks for something this program does not have
├── GenerationForTestsError     its vectors come from a fake featurizer
├── GenerationInvalidError      what was to be written contradicts itself
└── GenerationBusyError         another process is writing to the same folder
"""

from pathlib import Path


class GenerationError(Exception):
    """Root of everything that reading or writing a generation raises on purpose."""


class GenerationFileError(GenerationError):
    """A generation cannot be used; `path` is the file or folder that is to blame."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{path}: {problem}")


class GenerationMissingError(GenerationFileError):
    """There is no generation, or one of its files is not there."""


class GenerationCorruptError(GenerationFileError):
    """A file was cut short or altered after it was written."""


class GenerationTooNewError(GenerationFileError):
    """The format's number is above what this program reads."""


class GenerationUnsupportedError(GenerationFileError):
    """The generation needs something that this program does not know, such as a kind of index."""


class GenerationForTestsError(GenerationFileError):
    """Its text vectors come from a fake featurizer, so it must not serve."""


class GenerationInvalidError(GenerationError):
    """What was to be written contradicts itself; `field` says where."""

    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        self.problem = problem
        super().__init__(f"{field}: {problem}")


class GenerationBusyError(GenerationFileError):
    """Another process is writing a generation to the same folder."""
