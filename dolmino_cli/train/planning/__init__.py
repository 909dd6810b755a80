"""What a run is going to take, and whether it can be made: computed from config.json and the lock, without torch."""
