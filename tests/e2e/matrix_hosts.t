#!/usr/bin/env python3
"""Relays of several servers, and a socket, with every trouble at every stage."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import matrix  # noqa: E402

matrix.run(*sys.argv[1:] or ('hosts', 'mx', 'srv', 'lmtp at a socket'))
matrix.done()
