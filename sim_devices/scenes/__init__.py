"""One module for each technique: what the simulated beamline replays of its samples.

A scene file names its technique, and scenes/NAME.py is found by that name.  The module brings
`load(arrays) -> Scene` (see sim_devices.world), and whatever else the records of its own devices
ask of a sample.
"""
