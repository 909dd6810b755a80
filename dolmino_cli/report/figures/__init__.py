"""What a report shows, as figures: found in folders, counted in bounded memory; nothing here knows how they are drawn."""
