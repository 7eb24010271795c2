"""The only room that constructs: clocks, tasks, components. Everything above and below receives what it needs."""
