"""From a representation to components: what can be named, by which rule, and how surely."""
