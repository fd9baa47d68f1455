"""What each function of the course has to give, and the mistakes that people make in it; one exercise a file."""
