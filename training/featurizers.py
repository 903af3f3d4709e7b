"""Where a run's text vectors come from: a vLLM server started for the purpose, or one that runs.

The revision of the vectors is known before anything is started, so a run whose text vectors
are current starts no server.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from tqdm import tqdm

from features.model_files import encoder_revision, find_packaged_encoder, folder_revision
from features.text import TextFeaturizer
from features.vllm import VllmFeaturizer, VllmSettings
from features.vllm_process import VllmProcess, VllmProcessSettings


class FeaturizerSource(Protocol):
    """Something that can name the space of its vectors, and open a featurizer in it."""

    @property
    def revision(self) -> str:
        """`TextFeaturizer.revision` of what `open` yields."""
        ...

    @contextmanager
    def open(self) -> Iterator[TextFeaturizer]:
        """Yield a featurizer that is ready, and close it."""
        ...


@dataclass(frozen=True)
class StartedVllm:
    """A vLLM server of our own, for as long as it is needed."""

    process: VllmProcessSettings

    @cached_property
    def revision(self) -> str:
        """Hash the encoder's files; nothing is started."""
        encoder = self.process.encoder or find_packaged_encoder(self.process.python)
        return encoder_revision(folder_revision(encoder), self.process.max_tokens)

    @contextmanager
    def open(self) -> Iterator[TextFeaturizer]:
        """Start the server, wait for it, and end it afterwards."""
        bar = tqdm(desc="vLLM starts", bar_format="{desc}: {elapsed}", disable=None)
        with VllmProcess(self.process, on_wait=lambda _: bar.refresh()) as server:
            bar.close()
            settings = VllmSettings(base_url=server.base_url, model=self.process.model)
            with RunningVllm(settings).open() as featurizer:
                yield featurizer


@dataclass(frozen=True)
class RunningVllm:
    """A vLLM server that somebody else runs."""

    settings: VllmSettings

    @cached_property
    def revision(self) -> str:
        """Ask the server."""
        with self.open() as featurizer:
            return featurizer.revision

    @contextmanager
    def open(self) -> Iterator[TextFeaturizer]:
        """Connect to the server."""
        featurizer = VllmFeaturizer(self.settings)
        try:
            yield featurizer
        finally:
            featurizer.close()
