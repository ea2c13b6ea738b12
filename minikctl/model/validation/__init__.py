"""Rules and defaults of the kinds beyond their schemas; what a schema can say is not repeated here."""
