"""Small print says what made a figure."""

from tutorial_lib import profiles
from tutorial_lib.evidence.results import Results, stamp
from tutorial_lib.experiments import fig2_right

CPU = Results(profiles.get("pilot"))


def test_stamp_names_profile_models_and_machine():
    assert stamp(CPU.profile, []) == "profile pilot: no records yet"
    records = CPU.of(fig2_right.trials(CPU.profile))
    text = stamp(CPU.profile, records)
    assert f"{len(records)} models" in text
    assert ", 1 model, " in stamp(CPU.profile, records[:1])
    assert records[0].hardware.split(",")[0] in text
