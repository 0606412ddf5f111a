"""Where the log is kept: SQLite, numbered objects in an S3 bucket, numbered objects in a folder."""
