"""What users' own admission asks: which requests are meant, what is sent to a webhook, what it may answer."""
