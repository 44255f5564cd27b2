"""Features of many pictures: over many processes, in order, and again from where it stopped."""
