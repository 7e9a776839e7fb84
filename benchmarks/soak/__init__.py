"""R8: does anything grow while cameras fail by the thousand?"""
