"""The limits of a fake server that is not told otherwise: those that real servers begin with."""

from nearfield.server_info import Limits

MIB = 1024 * 1024

USUAL_LIMITS = Limits(
    max_request_bytes=4 * MIB,
    max_response_bytes=4 * MIB,
    max_batch_elements=256,
    max_k=1000,
    default_k=10,
    max_hits_per_call=25_600,
    max_history_events=1000,
    max_model_history_events=200,
    max_filter_ids=10_000,
    max_related_items=100,
    max_neighbours_per_relation=30,
    max_id_bytes=512,
    max_title_chars=1000,
    max_description_chars=20_000,
    max_genres=50,
    max_explanation_paths=3,
    max_concurrent_calls=64,
    default_deadline_ms=30_000,
    weak_signal_weight=1.0,
    max_new_item_calls=32,
)
"""For others: dataclasses.replace(USUAL_LIMITS, max_batch_elements=3)."""
