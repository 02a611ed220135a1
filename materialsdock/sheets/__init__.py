"""Sample sheets: from a row to a job."""
