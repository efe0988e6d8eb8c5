"""From answers to scorecards: reading, grading, metrics and their intervals. No torch here."""
