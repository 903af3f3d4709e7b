"""What can go wrong while training and evaluating."""


class TrainingError(Exception):
    """Training or evaluation cannot go on; the message says what was expected and what came."""


class DivergedError(TrainingError):
    """The loss is no longer a finite number."""


class NotLearningError(TrainingError):
    """The loss has not moved in several epochs."""


class FitError(TrainingError):
    """A model of another library cannot be fitted with these settings."""
