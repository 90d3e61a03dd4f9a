"""The API as a whole: addresses, the schema and its page, and how errors are told."""
