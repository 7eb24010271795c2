"""The SMC engine: closed bars in, Signal or NoSignal with its gate ladder out. Pure, streaming, causal, float64."""
