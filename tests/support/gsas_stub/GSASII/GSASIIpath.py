"""The version, as the real module tells it."""


def GetVersionNumber():
    return 4711
