"""The generation: one immutable folder with everything that answers a request; never loads torch.

`read` and `write` are the two ends of the format; `locate`, `switch` and `find_all` know how
generations lie beside each other in an output folder.
"""

from export.generation.contents import GenerationContents, ModelFiles
from export.generation.errors import (
    GenerationBusyError,
    GenerationCorruptError,
    GenerationError,
    GenerationForTestsError,
    GenerationInvalidError,
    GenerationMissingError,
    GenerationTooNewError,
    GenerationUnsupportedError,
)
from export.generation.folder import find_all, locate, switch
from export.generation.generation import Generation, History, Neighbours, Ready
from export.generation.ids import IdTable
from export.generation.manifest import FORMAT, FeaturizerInfo, Manifest
from export.generation.reader import read
from export.generation.texts import TextColumn
from export.generation.writer import write

__all__ = [
    "FORMAT",
    "FeaturizerInfo",
    "Generation",
    "GenerationBusyError",
    "GenerationContents",
    "GenerationCorruptError",
    "GenerationError",
    "GenerationForTestsError",
    "GenerationInvalidError",
    "GenerationMissingError",
    "GenerationTooNewError",
    "GenerationUnsupportedError",
    "History",
    "IdTable",
    "Manifest",
    "ModelFiles",
    "Neighbours",
    "Ready",
    "TextColumn",
    "find_all",
    "locate",
    "read",
    "switch",
    "write",
]
