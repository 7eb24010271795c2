"""What must be quick, measured: one small module per figure, all on generated inputs with a fixed seed."""
