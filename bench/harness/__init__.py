"""What `bench/run` is made of; `command.py` is the way in."""
