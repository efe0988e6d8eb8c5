"""Answering: a benchmark's questions put to a model, in this process."""

from vertebra.predict.local import predict

__all__ = ["predict"]
