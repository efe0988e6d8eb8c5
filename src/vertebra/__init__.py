"""vertebra: which language backbone should a vision-language model wear, and what does it change?"""
