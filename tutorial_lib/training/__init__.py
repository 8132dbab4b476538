"""One training loop for every loss, and what it needs: views, augmentation, groups of processes, memory."""
