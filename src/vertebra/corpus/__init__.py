"""A mixture's records: gone through, looked at, left out where they cannot be used, and tokenized into arrays.

Knows no tensors: what checks a mixture starts without torch, and so does every process that helps to tokenize one.
"""

from vertebra.corpus.corpus import Corpus, Sample, Speech, open_corpus

__all__ = ["Corpus", "Sample", "Speech", "open_corpus"]
