"""The named values of the contract, as Python enums."""

from enum import Enum, StrEnum
from typing import TypeVar


class VectorDtype(Enum):
    """How numbers travel; what a caller sees is float32 either way."""

    FLOAT32 = 1
    """4 bytes per number."""
    FLOAT16 = 2
    """2 bytes per number, about 3 decimal digits."""


class Provenance(Enum):
    """Where a vector or a hit comes from, most trustworthy first."""

    UNSPECIFIED = 0
    """The server did not say: the query was a vector, or the value is newer than this client."""
    GRAPH = 1
    """Known, and edges of the graph (an item) or stored history (a user) support it."""
    INDUCTIVE = 2
    """New: an item with neighbours lent to it, a user by the request's history."""
    TEXT_ONLY = 3
    """An item without any neighbour: text and attributes alone."""
    FALLBACK = 4
    """Nothing known of the person: demographics, or the most popular items."""


class Degradation(Enum):
    """What was left out of a recommendation because the server was busy or the deadline near."""

    UNSPECIFIED = 0
    """Nothing, or the value is newer than this client."""
    SMALLER_SEARCH = 1
    """What the graph says of the history took no part; scores are dot products."""
    STORED = 2
    """What is kept ready for the user, without what the request says was seen."""
    POPULAR = 3
    """The most popular items, the same for everybody."""


class Signal(Enum):
    """How an event counts."""

    STRONG = 1
    """The person chose the item: streamed, read, watched, bought, rated well."""
    WEAK = 2
    """The person showed interest: followed, previewed, saved; the item may still be shown."""
    NEGATIVE = 3
    """The person turned away; the item counts as seen, as a chosen one, and goes into no vector."""


class Grouping(Enum):
    """How the hits of an answer are arranged."""

    SINGLE_LIST = 1
    """One list with the k best of all asked types, in `hits`."""
    PER_TYPE = 2
    """The k best of each asked type, in `groups`."""


class WarningCode(Enum):
    """What was odd about a request that could be answered all the same."""

    UNSPECIFIED = 0
    """A code that is newer than this client; the warning's message explains it."""
    UNKNOWN_USER = 1
    """The user id is not in the generation; the answer rests on the rest of the request."""
    UNKNOWN_HISTORY_ITEMS = 2
    """Items of the history are unknown and were ignored."""
    NO_HISTORY = 3
    """Nothing to go by: neither stored history nor known items in the request's."""
    HISTORY_CUT = 4
    """The history was longer than the model takes; its oldest events were left out."""
    UNKNOWN_RELATED_ITEMS = 5
    """Related items are unknown and were ignored."""
    UNKNOWN_FILTER_ITEMS = 6
    """Included or excluded items are unknown and were ignored."""
    FEWER_THAN_K = 7
    """Fewer hits than k, because no more items pass the filter, or the quotas allow no more."""
    FALLBACK_FEATURIZER = 8
    """The text was embedded by the stand-in featurizer."""
    UNKNOWN_CATEGORY = 9
    """A language, genre or demographic value was never seen in training, or no item has it."""
    QUOTA_UNMET = 10
    """Fewer hits of a type than its quota asks for, because no more of it pass the filter."""


class Reason(StrEnum):
    """Why a call failed, as `StatusError.reason` spells it.

    A reason is a str, so that one that is newer than this client still compares and prints.
    """

    REQUEST_INVALID = "REQUEST_INVALID"
    """Fields break the contract; `StatusError.violations` names them."""
    USER_UNKNOWN = "USER_UNKNOWN"
    """No such user, and the request says nothing else of the person."""
    ITEM_UNKNOWN = "ITEM_UNKNOWN"
    """No such item."""
    SPACE_MISMATCH = "SPACE_MISMATCH"
    """Vectors of two spaces were to be compared."""
    FEATURIZER_UNAVAILABLE = "FEATURIZER_UNAVAILABLE"
    """New items cannot be embedded now; known ones are not affected."""
    FEATURIZER_MISMATCH = "FEATURIZER_MISMATCH"
    """The server's featurizer is not the generation's."""
    FEATURIZER_MISSING = "FEATURIZER_MISSING"
    """The server runs without a featurizer."""
    FEATURIZER_FAILED = "FEATURIZER_FAILED"
    """The featurizer gave no usable vector."""
    OVERLOADED = "OVERLOADED"
    """As many calls as the server takes are under way."""
    DEADLINE_PASSED = "DEADLINE_PASSED"
    """The deadline passed before the answer was there."""
    SHUTTING_DOWN = "SHUTTING_DOWN"
    """The server is going down; another one will answer."""
    FAULT = "FAULT"
    """A fault of the server; the request id finds it in the server's log."""
    RESPONSE_TOO_LARGE = "RESPONSE_TOO_LARGE"
    """The answer would be longer than the server's max_response_bytes."""
    CREDENTIALS_MISSING = "CREDENTIALS_MISSING"
    """The call came without credentials, and the server wants some."""
    CREDENTIALS_INVALID = "CREDENTIALS_INVALID"
    """The server does not know the credentials, or does so no longer."""
    CREDENTIALS_EXPIRED = "CREDENTIALS_EXPIRED"
    """The credentials were good once; with fresh ones the call may pass."""
    ROLE_MISSING = "ROLE_MISSING"
    """The caller does not have the role that the call needs."""
    RATE_LIMITED = "RATE_LIMITED"
    """The caller has used up its own rate or places; others are not affected."""
    PAGE_EXPIRED = "PAGE_EXPIRED"
    """The page token is of a generation that no longer answers; begin with the first page."""
    GENERATION_UNKNOWN = "GENERATION_UNKNOWN"
    """The server has no generation of that name."""
    GENERATION_REFUSED = "GENERATION_REFUSED"
    """A generation did not pass, or there is none to roll back to; the old one answers on."""
    GENERATIONS_BUSY = "GENERATIONS_BUSY"
    """Another change of generations is under way."""
    GENERATION_INVALID = "GENERATION_INVALID"
    """What was sent is no generation, or was damaged on the way."""
    STORAGE_FULL = "STORAGE_FULL"
    """The server's disk has no room for what was sent."""


Named = TypeVar("Named", Degradation, Provenance, WarningCode)


def known(kind: type[Named], number: int) -> Named:
    """Read a number from the wire; one that this client does not know becomes UNSPECIFIED."""
    try:
        return kind(number)
    except ValueError:
        return kind(0)
