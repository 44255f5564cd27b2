"""What the benchmark compares: our models, other dlib files, and the programs that people use.

`table.PEERS` lists the programs; each has a module with one small class, a `base.Method`, which
imports its package only when it is loaded.
"""
