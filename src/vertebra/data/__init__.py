"""From a mixture's records to the tensors of an optimizer step, in an order that a seed decides."""

from vertebra.data.batches import Batch, Collator, Eyes
from vertebra.data.dataset import Dataset, open_mixture
from vertebra.data.sampling import Schedule

__all__ = ["Batch", "Collator", "Dataset", "Eyes", "Schedule", "open_mixture"]
