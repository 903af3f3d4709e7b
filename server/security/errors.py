"""What security can end a call or a start with; two branches of the trees of server.errors.

ServiceError
├── UnauthenticatedError        nobody we know calls
│   ├── CredentialsMissingError     neither key, token nor certificate came
│   ├── CredentialsInvalidError     what came is none of ours, or no longer
│   └── CredentialsExpiredError     it was good once; its time is over
├── PermissionDeniedError       the caller is known and does not have the role
└── RateLimitedError            the caller has used up what it may have
    └── CallerBusyError             as many of its calls as it may have are under way

StartError
├── ExposedError                the address lets in more people than was asked for
├── CallersFileError            the file of callers cannot be used
├── TokenKeysError              the keys that tokens are checked with cannot be used
├── CertificateError            the server's certificate cannot be used
└── UnguardedMethodError        a method without a row in the table of roles

No message holds anything of what the caller sent: errors are logged.
"""

from pathlib import Path

from server.errors import ServiceError, StartError


class UnauthenticatedError(ServiceError):
    """Nobody that the server knows calls."""


class CredentialsMissingError(UnauthenticatedError):
    """A call came without credentials."""

    def __init__(self) -> None:
        super().__init__(
            "expected an API key or a token in the metadata (authorization: Bearer …), or a "
            "client certificate that the server knows; got none"
        )


class CredentialsInvalidError(UnauthenticatedError):
    """Credentials came that are nobody's, or no longer.

    What is wrong with a guess helps the next guess, so the message does not say.
    """

    def __init__(self, problem: str = "the server does not know these credentials") -> None:
        super().__init__(problem)


class CredentialsExpiredError(UnauthenticatedError):
    """Credentials came that were good once. Only their owner gets to hear it."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"the {kind} has expired; get another one")


class PermissionDeniedError(ServiceError):
    """The caller is known and may not make this call."""

    def __init__(self, role: str) -> None:
        self.role = role
        super().__init__(f"this call needs the role {role}, which the caller does not have")


class RateLimitedError(ServiceError):
    """The caller has used up what it may have for now."""

    def __init__(self, retry_s: float, text: str | None = None) -> None:
        self.retry_s = retry_s
        super().__init__(text or f"the caller's rate is used up; try again in {retry_s:.3g} s")


class CallerBusyError(RateLimitedError):
    """As many calls of the caller as it may have are under way."""

    def __init__(self, limit: int, retry_s: float) -> None:
        super().__init__(retry_s, f"all of the caller's {limit} places are taken by its own calls")


class ExposedError(StartError):
    """The server would be open to more people than the settings ask for."""


class _FileError(StartError):
    """A file cannot be used; the message names it, and nothing that is in it."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{path}: {problem}")


class CallersFileError(_FileError):
    """The file of callers cannot be used."""


class TokenKeysError(_FileError):
    """The keys that tokens are checked with cannot be used."""


class CertificateError(_FileError):
    """The certificate, its key or the clients' authority cannot be used."""


class UnguardedMethodError(StartError):
    """A method has no row in the table of roles, so nobody may call it."""

    def __init__(self, method: str) -> None:
        super().__init__(
            f"{method}: expected a row in the table of roles; without one it is closed"
        )
