"""The same list of independent tasks, run on what the user has. Local processes today."""
