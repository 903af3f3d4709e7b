"""What can go wrong between a record and its arrays, as one tree of errors."""


class FeatureError(Exception):
    """Root of everything that features raises on purpose."""


class UnknownIdError(FeatureError):
    """An id was asked for that the vocabulary does not hold."""


class TextError(FeatureError):
    """An item or a text has nothing in it that an encoder could read."""


class EncoderError(FeatureError):
    """A saved vocabulary or encoder cannot be read, or its parts contradict each other."""


class CacheError(FeatureError):
    """The file of cached text vectors is damaged or is not one of ours."""


class FeaturizerError(FeatureError):
    """Root of what a text featurizer can fail with."""


class FeaturizerUnavailable(FeaturizerError):  # noqa: N818 - the name says what happened
    """Nothing answers, or not in time, or only with server errors; later it may work."""


class FeaturizerUnreachable(FeaturizerUnavailable):
    """Nothing listens there, so that asking again at once is of no use."""


class FeaturizerRefused(FeaturizerError):  # noqa: N818 - the name says what happened
    """The featurizer's server understood the request and declined it; a retry would not help."""


class FeaturizerBadAnswer(FeaturizerError):  # noqa: N818 - the name says what happened
    """An answer came, but it is not one finite vector of the right length per text."""


class EncoderFilesError(FeaturizerError):
    """A folder of encoder files is missing, incomplete or written in an unknown format."""


class VllmProcessError(FeaturizerError):
    """A vLLM server of our own did not start; the message holds the end of its log."""
