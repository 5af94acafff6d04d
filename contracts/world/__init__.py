"""The test world: the protocols' own bytecode, deployed once on a local chain."""
