"""A first configuration: cameras are found, tried, and written down with why they were taken so.

talk.py         telling the user something, and asking
candidates.py   what could be a camera: found on USB or in the network, or named by the user
offers.py       the streams that a camera has     asking.py     … as it tells them itself
choosing.py     which of them is for detection    trying.py     does it really send that?
gathering.py    all of this for each camera; what cannot be used is left out, and said
credentials.py  passwords stay in the environment
wishes.py       what to recognise, where results go
page.py         the configuration as text         writing.py    checked, then put in place whole
missed.py       which cameras gave no picture, and what they need
"""
