"""What ``reward bench`` is made of: both sides of a comparison, what is counted, and what the machine could do."""
