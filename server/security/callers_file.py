"""The file of callers: API keys by their digests, and client certificates, one JSON line each.

A line is somebody's way in; a caller who changes keys has two lines of one name for a while. JSON
lines, because commands write them, a diff of them reads well, and a thousand are read within
milliseconds, which matters where a running server reads them again.
"""

import fcntl
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Annotated, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_serializer,
)

from server.security.callers import UNLIMITED, Caller, CallerLimits, Role
from server.security.errors import CallersFileError
from server.security.watched import read_file

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
KEY_ID = r"^[a-z2-7]{10}$"
SHA256 = r"^[0-9a-f]{64}$"
IDENTITY = r"^(uri|dns|cn):[!-~]{1,300}$"


class _Line(BaseModel):
    """What every line says."""

    model_config = ConfigDict(
        frozen=True, use_attribute_docstrings=True, extra="forbid", hide_input_in_errors=True
    )

    name: str = Field(pattern=NAME)
    """Who it is; lines of one name share one caller's limits."""
    roles: frozenset[Role] = Field(min_length=1)
    """What the caller may do."""
    created: AwareDatetime
    """When the line was written."""
    expires: AwareDatetime | None = None
    """When it stops to let anybody in; None for never."""
    revoked: AwareDatetime | None = None
    """When it was revoked; None where it was not."""
    limits: CallerLimits = UNLIMITED
    """The caller's own limits; the server's where a field is missing."""

    @field_serializer("roles")
    def _in_order(self, roles: frozenset[Role]) -> list[Role]:
        return sorted(roles)

    def caller(self) -> Caller:
        """Return whom the line lets in."""
        limits = UNLIMITED if self.limits == UNLIMITED else self.limits
        return Caller(self.name, self.roles, limits)

    def ends(self) -> float:
        """Return when it stops to let anybody in, in seconds since 1970."""
        return float("inf") if self.expires is None else self.expires.timestamp()

    def state(self, now: datetime) -> Literal["good", "expired", "revoked"]:
        """Tell whether the line lets anybody in."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "good"


class KeyLine(_Line):
    """An API key. The key itself is not here, and cannot be found from what is."""

    kind: Literal["key"] = "key"
    """What lets the caller in."""
    id: str = Field(pattern=KEY_ID)
    """The part of the key that is no secret."""
    sha256: str = Field(pattern=SHA256)
    """Digest of the whole key, in hexadecimal."""


class CertificateLine(_Line):
    """A client certificate, by a name that an authority of ours has put into it."""

    kind: Literal["certificate"] = "certificate"
    """What lets the caller in."""
    id: str = Field(pattern=IDENTITY)
    """`uri:` or `dns:` and a subject alternative name, or `cn:` and the common name of a
    certificate that has neither."""


Line = KeyLine | CertificateLine
_LINE: TypeAdapter[Line] = TypeAdapter(Annotated[Line, Field(discriminator="kind")])


def read_lines(path: Path) -> tuple[Line, ...]:
    """Read a file of callers; blank lines do not count.

    Raises:
        CallersFileError: it cannot be read, or breaks the form; the message has the place and
            nothing of the content.
    """
    try:
        text = read_file(path, CallersFileError).decode()
    except UnicodeDecodeError as error:
        raise CallersFileError(path, f"cannot be read ({type(error).__name__})") from None
    lines: dict[str, Line] = {}
    for number, written in enumerate(text.split("\n"), start=1):
        if written.strip():
            line = _parse(path, number, written)
            if line.id in lines:
                raise CallersFileError(path, f"line {number}: expected an id that is new")
            lines[line.id] = line
    return tuple(lines.values())


def edit_lines(path: Path, edit: Callable[[tuple[Line, ...]], Sequence[Line]]) -> None:
    """Replace what a file says, at once and as a whole; one edit at a time, 0600.

    Readers see the file before or after, never in between. A link stays one: what it points to is
    replaced. A file that is not there is made.

    Raises:
        CallersFileError: the file that is there breaks the form, or nothing can be written.
    """
    real = path.resolve()
    try:
        folder = os.open(real.parent, os.O_RDONLY)
    except OSError as error:
        raise CallersFileError(path, f"no folder for it ({type(error).__name__})") from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        lines = edit(read_lines(real) if real.exists() else ())
        _replace(real, "".join(f"{line.model_dump_json(exclude_none=True)}\n" for line in lines))
        os.fsync(folder)
    except OSError as error:
        raise CallersFileError(path, f"cannot be written ({type(error).__name__})") from None
    finally:
        os.close(folder)


def _parse(path: Path, number: int, written: str) -> Line:
    try:
        return _LINE.validate_json(written)
    except ValidationError as error:
        # Whoever mistypes a line may have put a key into it: no value, and no unknown field's name.
        places = {
            str(part)
            for problem in error.errors(include_input=False)
            for part in problem["loc"][1:2]
            if part in KeyLine.model_fields or part in CertificateLine.model_fields
        }
        about = f" in {', '.join(sorted(places))}" if places else ""
        text = f"line {number}: expected a line as the commands write it; it differs{about}"
        raise CallersFileError(path, text) from None


def _replace(path: Path, text: str) -> None:
    """Write beside, then rename. A temporary file is 0600 from its first moment."""
    with NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            with suppress(FileNotFoundError):
                Path(file.name).unlink()
            raise
