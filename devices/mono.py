"""A double-crystal monochromator: energy over the Bragg angle."""

from __future__ import annotations

from math import asin, degrees, radians, sin
from typing import Any

from ophyd import Component, PseudoPositioner, PseudoSingle
from ophyd.pseudopos import pseudo_position_argument, real_position_argument

from devices.stage import VerifiedMotor

HC_EV_ANGSTROM = 12398.419843320026
SI111_ANGSTROM = 3.1356


class BraggMotor(VerifiedMotor):
    """The Bragg rotation [deg]; 1e-4° is 0.03 eV at the iron K edge."""

    tolerance = 1e-5


class Monochromator(PseudoPositioner):
    """Energy [eV] by Bragg's law, E = hc / (2 d sin θ), on crystal spacing `d_spacing` [Å].

    A Bragg move that fails fails the energy move; ophyd alone would call it done.
    """

    energy = Component(PseudoSingle, egu="eV", limits=(2200.0, 30000.0), kind="hinted")
    bragg = Component(BraggMotor, "", kind="normal")

    def __init__(self, *args: Any, d_spacing: float = SI111_ANGSTROM, **kwargs: Any) -> None:
        self.d_spacing = d_spacing
        self._energy_target: float | None = None
        super().__init__(*args, **kwargs)
        self.energy.readback.name = f"{self.name}_energy"

    @property
    def fault(self) -> str:
        """The reason why the last move failed, "" when it did not."""
        return str(self.bragg.fault)

    @property
    def astray(self) -> str:
        """The words that others have moved it since our last move ended; see VerifiedMotor."""
        return str(self.bragg.astray)

    @pseudo_position_argument
    def forward(self, pseudo_pos: Any) -> Any:
        """Energy [eV] to Bragg angle [deg]."""
        sine = HC_EV_ANGSTROM / (2 * self.d_spacing * pseudo_pos.energy)
        return self.RealPosition(bragg=degrees(asin(sine)))

    @real_position_argument
    def inverse(self, real_pos: Any) -> Any:
        """Bragg angle [deg] to energy [eV]."""
        sine = sin(radians(real_pos.bragg))
        return self.PseudoPosition(energy=HC_EV_ANGSTROM / (2 * self.d_spacing * sine))

    @pseudo_position_argument
    def move(self, position: Any, **kwargs: Any) -> Any:
        """Move to an energy [eV]."""
        self._energy_target = float(position.energy)
        return super().move(position, **kwargs)

    def stop(self, success: bool = False) -> None:
        """Stop; the status of a move in flight ends at once, as `success` has it."""
        if success:
            self._energy_target = None
        super().stop(success=success)

    def _done_moving(self, success: bool = True, **kwargs: Any) -> None:
        if success and self._energy_target is not None:
            angle = self.bragg.user_readback.get(use_monitor=False)
            wanted = self.forward(self.PseudoPosition(energy=self._energy_target)).bragg
            off = abs(angle - wanted) > self.bragg.tolerance
            if off and not self.bragg.fault:
                self.bragg.fault = f"{self.bragg.name} is at {angle:.8g} instead of {wanted:.8g}"
            success = not self.bragg.fault
        super()._done_moving(success=success, **kwargs)
