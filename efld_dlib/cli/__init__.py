"""The command line `efld-dlib`: one module a subcommand."""
