"""Which of the possible positions deserve the margin. Pure."""
