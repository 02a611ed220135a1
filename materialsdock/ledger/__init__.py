"""The only truth and the only SQL: jobs, documents, decisions, outcomes, samples of a night."""
