"""The composition: the services put together into processes, and the ``savings`` command."""
