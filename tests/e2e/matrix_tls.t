#!/usr/bin/env python3
"""Kinds of relays with TLS and logins, and every trouble at every stage."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import matrix  # noqa: E402

matrix.run(*sys.argv[1:] or ('starttls', 'implicit', 'login', 'login by bdat'))
matrix.done()
