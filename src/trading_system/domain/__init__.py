"""Words of the trade: pure types and arithmetic. Nothing here performs I/O or reads a clock."""
