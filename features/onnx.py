"""onnxruntime, told to send nothing to its maker; imported from here everywhere.

The official Linux builds report sessions, with the names of models and graphs, to Microsoft unless
this variable is set before onnxruntime is imported, and keep an identifier of the machine under
the home directory. Who wants to report sets `ORT_DISABLE_TELEMETRY=0`.
Source: Privacy.md of onnxruntime.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime as onnxruntime  # noqa: TID251

__all__ = ["onnxruntime"]
