"""The only truth and the only SQL: jobs, documents, decisions, outcomes, and all rows of a night."""
