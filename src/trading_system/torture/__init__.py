"""The microscope: the whole daemon in virtual time on a faulty venue, and checkers that read only the venue's log and the journal."""
