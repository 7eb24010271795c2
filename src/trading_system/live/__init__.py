"""LiveTrading and its delegates. Delegates see only a small host Protocol, return frozen reports, and never import each other."""
