"""The version, as the real module gives it."""


def GetVersionNumber():
    return 4711
