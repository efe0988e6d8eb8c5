"""Training: one visible loop on plain PyTorch."""

from vertebra.train.stage import train

__all__ = ["train"]
