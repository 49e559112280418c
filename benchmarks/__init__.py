"""The error/time suite: long measurements, kept apart from the tests."""
