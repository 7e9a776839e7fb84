"""What a GPU machine is asked, in one run: see `run`."""
