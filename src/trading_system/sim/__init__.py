"""The embedded exchange: matching, margin, funding, liquidation, price paths. Imports the domain only."""
