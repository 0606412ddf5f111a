"""The command line: files in, tables out. Everything it computes comes from the library's calls."""
