"""A simulated beamline: one caproto IOC with the PVs of the real one."""
