"""What our own small servers share: fakecam and impair.

listening.py   ports                    control.py   commands, one line each
running.py     a server in a thread of its own, or until a signal
complaints.py  what is said on stderr, and how often
"""
