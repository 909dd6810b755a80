"""What people look at: waterfalls and mix tables."""
