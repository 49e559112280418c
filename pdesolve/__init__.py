"""pdesolve: declare a PDE once, in symbols; solve it by interchangeable backends."""
