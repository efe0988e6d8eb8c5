"""Training: one visible loop on plain PyTorch."""

from vertebra.train.fit import train

__all__ = ["train"]
