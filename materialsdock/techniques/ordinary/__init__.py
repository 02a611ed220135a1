"""The parts of a technique that brings none of its own: count rates along one axis.

Its parts are the defaults of materialsdock.technique.Technique.  A part of one's own may begin from
here, and take over as it is what it does not change.
"""
