"""Answering: a benchmark's questions put to a model in this process."""

from vertebra.predict.step import predict

__all__ = ["predict"]
