"""Everything around the functions: the template, the build, the bridge, the local stack and the command line."""
