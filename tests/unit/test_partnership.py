from pathlib import Path

import pytest

from shared.partnership import InvalidPartnershipFile, Partnership

SE7 = Path("deploy/partnerships/se7.toml").read_text(encoding="utf-8")


def test_south_east_7_has_seven_councils_six_workstreams_and_four_years() -> None:
    se7 = Partnership.parse(SE7)
    assert len(se7.councils) == 7
    assert [workstream.code for workstream in se7.workstreams] == [
        "highways",
        "waste",
        "ict",
        "property",
        "sen",
        "procurement",
    ]
    assert [str(year) for year in se7.years] == ["2011/12", "2012/13", "2013/14", "2014/15"]
    assert se7.led_by("E10000014") == ("property", "procurement")
    assert str(se7.council_by_register_code["SRY"].ends) == "2027-03-31"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('lead = "E10000030"', 'lead = "E99999999"', "lead of highways, E99999999, is not a council"),
        ('register = "KEN"', 'register = "ESX"', "council register given twice: ESX"),
        ('code = "waste"', 'code = "highways"', "workstream code given twice: highways"),
        ('last_year = "2014/15"', 'last_year = "2010/11"', "last_year is before first_year"),
        ('first_year = "2011/12"', 'first_year = "2011/13"', "first_year.*written 2011/12"),
        ('long_term = "£1.5bn"', "long_term = 1.5", "headline.long_term"),
        ('short_name = "SE7"', 'shortname = "SE7"', "shortname.*not permitted"),
        ('workstream = "sen"', 'workstream = "schools"', "projection names an unknown workstream, schools"),
        ("[headline]", "[headline", "not TOML"),
    ],
)
def test_a_partnership_file_at_fault_is_refused_by_name(old: str, new: str, says: str) -> None:
    assert old in SE7
    with pytest.raises(InvalidPartnershipFile, match=says):
        Partnership.parse(SE7.replace(old, new, 1))
