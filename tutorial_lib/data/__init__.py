"""Pictures and captions: those of the course and anybody's, in memory or in shards, and tasks made of them."""
