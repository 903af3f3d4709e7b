"""The two forms in which a request says how hits are chosen: a message, and its older fields."""

from nearfield.v1.recommendation_pb2 import FindSimilarItemsRequest, HitOptions, RecommendRequest

HitsRequest = RecommendRequest | FindSimilarItemsRequest

FIELD = "hit_options"
NAMES = tuple(field.name for field in HitOptions.DESCRIPTOR.fields)
"""Fields of the message; the older ones of a request have the same names."""
_NO_PREFIX, _PREFIX = "", f"{FIELD}."


def hit_options(message: HitsRequest) -> tuple[HitOptions, str]:
    """Read the options in either form; gives what goes before the names of their fields."""
    if message.HasField("hit_options"):
        return message.hit_options, _PREFIX
    options = HitOptions(
        quotas=message.quotas,
        diversity=message.diversity,
        exploration=message.exploration,
        seed=message.seed if message.HasField("seed") else None,
        page_size=message.page_size,
        page_token=message.page_token,
    )
    return options, _NO_PREFIX


def set_twice(message: HitsRequest) -> list[str]:
    """Name the older fields that are set beside the message."""
    if not message.HasField("hit_options"):
        return []
    return [field.name for field, _ in message.ListFields() if field.name in NAMES]


def page_field(message: HitsRequest) -> str:
    """Name the field that asks for a page."""
    options, prefix = hit_options(message)
    return f"{prefix}{'page_token' if options.page_token else 'page_size'}"


def page_token(request: object) -> str:
    """Return the page token of any request; empty where it has none."""
    if not isinstance(request, HitsRequest):
        return ""
    return request.hit_options.page_token or request.page_token
