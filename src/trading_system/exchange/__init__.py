"""Adapters between the ports of the domain and real venues. Venue field names stop in the `wire_*` modules of each adapter."""
