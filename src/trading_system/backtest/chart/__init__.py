"""Pictures of what the strategy saw: recorded bar by bar, drawn as one self-contained page."""
