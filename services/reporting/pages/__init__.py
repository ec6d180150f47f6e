"""The pages that people read: one file a page, drawn from the same table, movements and rounds as the API answers."""
