"""Pictures: read them, make them square, draw visual prompts on them. No torch here."""
