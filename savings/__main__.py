"""``python -m savings`` is the ``savings`` command."""

from savings.commands import app

app()
