"""What each function of the course must return, and the mistakes that people often make; one exercise per file."""
