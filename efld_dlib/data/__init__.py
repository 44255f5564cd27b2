"""Small tables that ship with the package."""
