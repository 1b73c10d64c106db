"""A studio's lifecycle without its web server: services, a real plugin host, real plugin processes, PostgreSQL, Redis.

Small enough to be broken a thousand times: `python -m tests.lab --runs 1000` drives random sequences of operations and
faults through it and checks after each that what is seen becomes what is wanted (`machine.py` says what exactly).
"""
