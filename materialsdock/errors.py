"""One family of errors: each names the value, the place it came from, and the remedy."""

from __future__ import annotations

from typing import ClassVar


class MaterialsDockError(Exception):
    """Base of every error the project raises on purpose.

    Parameters
    ----------
    what : what is wrong, with the offending value in it
    where : the file and line, PV, key or argument it came from
    remedy : what the user can do about it
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 5

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what, self.where, self.remedy = what, where, remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        apart = "\n" if "\n" in self.what else " "  # below a list: it is of no single line
        cure = f"{apart}({self.remedy})" if self.remedy else ""
        return f"{place}{self.what}{cure}"

    def __reduce__(self) -> tuple[object, ...]:  # crosses process borders with its parts
        return (_rebuild, (type(self), self.what, self.where, self.remedy))

    def as_dict(self) -> dict[str, str]:
        """The envelope that `--json` prints."""
        return {"code": self.code, "message": self.what, "where": self.where, "remedy": self.remedy}


def _rebuild(
    kind: type[MaterialsDockError], what: str, where: str, remedy: str
) -> MaterialsDockError:
    return kind(what, where=where, remedy=remedy)


class InputError(MaterialsDockError):
    """A file, option or configuration that the user can mend."""

    code, exit_code = "bad_input", 2


class Refused(MaterialsDockError):
    """A legal request that the present state forbids (limits, lease, shadowed names)."""

    code, exit_code = "refused", 3


class Unreachable(MaterialsDockError):
    """A process, IOC or server that does not answer."""

    code, exit_code = "unreachable", 4


class DeviceFault(MaterialsDockError):
    """Hardware did not do what it was ordered to do (stall, slip, stale, NaN, saturation)."""

    code, exit_code = "device_fault", 5


class Saturated(DeviceFault):
    """A detector at its limit: what it shows is less than what there was."""


class NoLight(DeviceFault):
    """The monitor or the first chamber counts nothing, with the shutter open."""


class ModelFault(MaterialsDockError):
    """A computation that cannot go on (non-finite data, a matrix beyond repair)."""

    code, exit_code = "model_fault", 5


class LedgerFault(MaterialsDockError):
    """The ledger cannot be written, or contradicts what is being replayed."""

    code, exit_code = "ledger_fault", 5
