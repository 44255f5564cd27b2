"""How good predicted landmarks are: error measures, and the protocol that applies them."""
