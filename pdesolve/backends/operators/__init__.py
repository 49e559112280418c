"""Neural operators: networks that map fields to fields, trained once for a family of problems."""
