"""Models: layers put together, with weight files, surgery, a summary and their state. Start at `sequential.py`."""
