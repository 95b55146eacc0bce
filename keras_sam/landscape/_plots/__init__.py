"""The figures of results. All files here need matplotlib."""
