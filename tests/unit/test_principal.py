from pathlib import Path

import pytest

from shared.errors import Forbidden
from shared.figures import PARTNERSHIP, Scope, Stream, WorkstreamCode
from shared.partnership import Partnership
from shared.principal import Principal, Role

SE7 = Partnership.parse(Path("deploy/partnerships/se7.toml").read_text(encoding="utf-8"))
ESX, KEN, BNH = Scope("E10000011"), Scope("E10000016"), Scope("E06000043")
ICT, SEN = WorkstreamCode("ict"), WorkstreamCode("sen")

lead_ict = Principal("lead-ict", Role.LEAD, BNH, frozenset({"ict"}))
finance_esx = Principal("finance-ESX", Role.FINANCE, ESX)
author_esx = Principal("author-ESX", Role.AUTHOR, ESX)
office = Principal("office", Role.OFFICE)
auditor = Principal("auditor", Role.AUDITOR)


@pytest.mark.parametrize(
    ("principal", "stream"),
    [
        (lead_ict, Stream(ICT, PARTNERSHIP)),
        (lead_ict, Stream(ICT, BNH)),
        (finance_esx, Stream(ICT, ESX)),
        # East Sussex leads SEN, so its finance system speaks for the partnership there.
        (finance_esx, Stream(SEN, PARTNERSHIP)),
    ],
)
def test_the_lead_council_states_the_partnership_figure_and_a_council_its_own_share(
    principal: Principal, stream: Stream
) -> None:
    principal.require_may_state(stream, SE7)


@pytest.mark.parametrize(
    ("principal", "stream", "says"),
    [
        (finance_esx, Stream(ICT, KEN), "Kent County Council.*alone.*finance-ESX"),
        (finance_esx, Stream(ICT, PARTNERSHIP), "lead council, Brighton & Hove City Council"),
        (lead_ict, Stream(SEN, PARTNERSHIP), "lead council, East Sussex County Council"),
        (lead_ict, Stream(SEN, BNH), "that council alone"),
        (lead_ict, Stream(ICT, ESX), "East Sussex County Council"),
        (author_esx, Stream(ICT, ESX), "reads figures and states none"),
        (office, Stream(ICT, PARTNERSHIP), "reads figures and states none"),
        (auditor, Stream(ICT, PARTNERSHIP), "reads figures and states none"),
    ],
)
def test_nobody_states_a_figure_that_is_not_theirs(principal: Principal, stream: Stream, says: str) -> None:
    with pytest.raises(Forbidden, match=says):
        principal.require_may_state(stream, SE7)


@pytest.mark.parametrize("principal", [lead_ict, finance_esx, author_esx, office, auditor])
def test_partnership_figures_are_seen_by_all(principal: Principal) -> None:
    principal.require_sight_of(PARTNERSHIP, SE7)


@pytest.mark.parametrize("principal", [finance_esx, author_esx, office, auditor])
def test_a_share_is_seen_by_its_council_the_office_and_auditors(principal: Principal) -> None:
    principal.require_sight_of(ESX, SE7)


@pytest.mark.parametrize("principal", [lead_ict, Principal("finance-KEN", Role.FINANCE, KEN)])
def test_another_councils_share_is_not_seen(principal: Principal) -> None:
    with pytest.raises(Forbidden, match="share of East Sussex County Council"):
        principal.require_sight_of(ESX, SE7)
