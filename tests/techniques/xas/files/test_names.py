"""What names of columns mean, as beamlines write them."""

from __future__ import annotations

import pytest

from materialsdock.techniques.xas.files.names import meaning, parted

NAMES = {
    "energy": "Energy (eV)|energy_keV|E|Mono Energy (alt) *|ZapEnergy|eBraggEnergy|Energie|"
    "$(AbsEnergyName)|Requested Energy|Energy_readback|mononrg|qexafs_energy|Energy_c1|"
    "photon energy",
    "angle": "Angle(c)|bragg (mdeg)|mono_bragg|theta|angle degrees|2theta|mono_tth",
    "d_spacing": "d_spacing|d-spacing (A)|mono_d_spacing_nm",
    "i0": "I0|Io|i0|I0-32|PreKB-I0|I0_EH1|I0_KEITHLEY1_c4|XMAP4:DT Corr I0|incoming_beam|Mon|"
    "Au mesh",
    "it": "It|IT|i1|itrans|It-32|I1_EH1|Ion1|I1_KEITHLEY2_c6",
    "ir": "Iref|IR_EH2|i2|irefer|ir|Ion2",
    "iy": "TEY|KEITHLEY4_TEY_c10|drain current|sample_current|iy",
    "mu": "mu|xmu|xmu(trans)|mutrans|mufluor|mu01|lnI0It|FFI0|Absorption|norm|flat|mu(E)|µ|mu_ref",
    "channel": "If|iff|ifluor|fl_1|fla01|Ifch4|ROI1|DTC2|SCA1.12|Mn_Ka_mca1|XSP3:0:PbLa|mca7|Lytle|"
    "D1_MgKa_corr_c12|xmap_roi00|FF|TFY",
    "sum": "XMAP4:AsKa_Sum|MgKa_sum_cps_c2",
    "total": "flatot|XMAP4:Total_Sum",
    "icr": "ICR1|ICR.3|Iffast2|D1_ICR_c24",
    "ocr": "OCR1|Ifslow2|OutputCounts_mca4|D1_OCR_c25",
    "factor": "DTFactor_mca8",
    "sigma": "mutrans_sd|xmu_stddev|mu_errors",
    "": "Time|count_time|Clock_mca1|TSCALER|ID Gap *|undulator_energy|Epoch|chi2theta|counts|"
    "Scaler preset time *|Ch0|H|bkg|nder|i0off|Preslit|Event-ID|ring energy|Intensity",
}


@pytest.mark.parametrize("what", NAMES)
def test_names_mean_what_beamlines_mean(what):
    found = {name: meaning(name).what for name in NAMES[what].split("|")}
    assert found == dict.fromkeys(found, what)


@pytest.mark.parametrize(
    ("name", "kind", "line", "number"),
    [
        ("Achieved Energy", "achieved", "", 0),
        ("requested_energy", "requested", "", 0),
        ("2theta", "twice", "", 0),
        ("fluo/i0", "fluorescence", "", 0),
        ("Σroi / I0", "fluorescence", "", 0),
        ("Mn_Ka_mca3", "", "mn_ka", 3),
        ("D2_FeKa_corr", "corrected", "feka", 2),
        ("mutrans", "transmission", "", 0),
        ("mutrans_sd", "mutrans", "", 0),
    ],
)
def test_names_say_more_than_the_quantity(name, kind, line, number):
    found = meaning(name)
    assert (found.kind, found.line, found.number) == (kind, line, number)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("energy [keV]", "keV"),
        ("Energy (eV)", "eV"),
        ("energy_keV", "keV"),
        ("bragg (mdeg)", "mdeg"),
        ("mu (a.u.)", ""),
        ("xmu(trans)", ""),
    ],
)
def test_units_stand_behind_names(name, unit):
    assert parted(name)[1] == unit
