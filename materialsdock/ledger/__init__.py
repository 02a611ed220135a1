"""The only truth and the only SQL: jobs, documents, decisions, outcomes."""
