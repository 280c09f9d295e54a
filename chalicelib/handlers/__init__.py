"""Entry points, one module a deployable function: translate, call, answer."""
