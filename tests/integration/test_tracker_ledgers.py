"""The ledgers over HTTP: what they add up to, at which time, who sees them, and what is said to a bad question."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from shared.clock import moment_text
from shared.figures import PARTNERSHIP, Basis, Benefit, Flow, Recurrence, Status
from shared.principal import Principal
from tests.builders import (
    AUDITOR,
    AUTHOR_ESX,
    AUTHOR_KEN,
    EAST_SUSSEX,
    EVERYBODY,
    FINANCE_ESX,
    KENT,
    LEAD_ICT,
    OFFICE,
    SE7,
)
from tests.tracker_deployment import DAY, NOON, TrackerDeployment, line

LATER = DAY + timedelta(days=30)


def row(ledger: Mapping[str, Any], workstream: str = "ict") -> dict[str, Any]:
    return next(one for one in ledger["workstreams"] if one["workstream"] == workstream)


def year(ledger: Mapping[str, Any], written: str = "2011/12", workstream: str = "ict") -> dict[str, Any]:
    return next(one for one in row(ledger, workstream)["years"] if one["year"] == written)


class TestTheCumulativeLedger:
    async def test_before_anything_is_stated_every_cell_is_empty(self, tracker: TrackerDeployment) -> None:
        ledger = await tracker.ledger(AUTHOR_ESX)
        assert [one["workstream"] for one in ledger["workstreams"]] == [one.code for one in SE7.workstreams]
        assert [one["name"] for one in ledger["workstreams"]] == [one.name for one in SE7.workstreams]
        assert [one["year"] for one in ledger["totals"]["years"]] == ["2011/12", "2012/13", "2013/14", "2014/15"]
        assert year(ledger) == {
            "year": "2011/12",
            "status": None,
            "in_year": "0.00",
            "cumulative": "0.00",
            "shares": "0.00",
            "shares_cumulative": "0.00",
            "unapportioned": "0.00",
            "unapportioned_cumulative": "0.00",
            "over_claimed": False,
        }
        assert (ledger["entry_count"], ledger["account_count"], ledger["council"]) == (0, 0, None)

    async def test_runs_over_the_years_and_adds_up_over_the_workstreams(self, tracker: TrackerDeployment) -> None:
        await tracker.posts(line(300), line(200, "2013/14"))
        await tracker.posts(line(1_000, "2012/13"), workstream="sen")
        ledger = await tracker.ledger(OFFICE)
        assert [(one["in_year"], one["cumulative"]) for one in row(ledger)["years"]] == [
            ("300.00", "300.00"),
            ("0.00", "300.00"),
            ("200.00", "500.00"),
            ("0.00", "500.00"),
        ]
        assert [one["cumulative"] for one in ledger["totals"]["years"]] == ["300.00", "1300.00", "1500.00", "1500.00"]
        assert (row(ledger)["total"], ledger["totals"]["total"]) == ("500.00", "1500.00")

    async def test_shows_the_sum_of_all_shares_and_what_is_unapportioned(self, tracker: TrackerDeployment) -> None:
        await tracker.posts(line(1_000))
        await tracker.posts(line(300), scope=EAST_SUSSEX)
        await tracker.posts(line(200), line(50, "2012/13"), scope=KENT)
        ledger = await tracker.ledger(AUTHOR_KEN)
        first, second = year(ledger), year(ledger, "2012/13")
        assert (first["in_year"], first["shares"], first["unapportioned"]) == ("1000.00", "500.00", "500.00")
        assert (second["shares_cumulative"], second["unapportioned_cumulative"]) == ("550.00", "450.00")
        assert (row(ledger)["shares_total"], row(ledger)["unapportioned_total"]) == ("550.00", "450.00")
        assert (ledger["totals"]["shares_total"], ledger["totals"]["unapportioned_total"]) == ("550.00", "450.00")

    async def test_a_share_above_the_partnership_figure_is_flagged_and_still_counted(
        self, tracker: TrackerDeployment
    ) -> None:
        await tracker.posts(line(1_000))
        await tracker.posts(line(1_200), scope=EAST_SUSSEX)
        await tracker.posts(line(5_000), workstream="sen")
        ledger = await tracker.ledger(OFFICE)
        assert (year(ledger)["shares"], year(ledger)["unapportioned"]) == ("1200.00", "-200.00")
        assert (year(ledger)["over_claimed"], row(ledger)["over_claimed"]) == (True, True)
        assert (row(ledger, "sen")["over_claimed"], ledger["totals"]["over_claimed"]) == (False, False)
        assert ledger["totals"]["unapportioned_total"] == "4800.00"

    async def test_a_placeholder_stands_in_its_cell_and_adds_nothing(self, tracker: TrackerDeployment) -> None:
        await tracker.posts(line(None, status=Status.SEE_NARRATIVE), workstream="property")
        await tracker.posts(line(None, status=Status.TO_BE_CONFIRMED), line(7, initiative="Data Centres"))
        ledger = await tracker.ledger(OFFICE)
        cell = year(ledger, workstream="property")
        assert (cell["status"], cell["in_year"]) == ("see_narrative", "0.00")
        assert (year(ledger)["status"], year(ledger)["in_year"]) == ("quantified", "7.00")

    async def test_what_the_partnership_no_longer_names_is_shown_last_and_counted(
        self, tracker: TrackerDeployment
    ) -> None:
        await tracker.posts(line(300), line(40, "2015/16"), workstream="libraries")
        ledger = await tracker.ledger(OFFICE)
        last = ledger["workstreams"][-1]
        assert (last["workstream"], last["name"], last["total"]) == ("libraries", "libraries", "340.00")
        assert [one["year"] for one in ledger["totals"]["years"]][-1] == "2015/16"
        assert ledger["totals"]["total"] == "340.00"


class TestFilters:
    @pytest.fixture
    async def stated(self, tracker: TrackerDeployment) -> TrackerDeployment:
        await tracker.posts(
            line(100),
            line(90, basis=Basis.FORECAST),
            line(50, "2012/13"),
            line(7, "2012/13", benefit=Benefit.AVOIDED_COST),
            line(3, "2012/13", recurrence=Recurrence.ONE_OFF),
            line(20, flow=Flow.COST),
        )
        await tracker.posts(line(1_000), workstream="sen")
        return tracker

    async def test_choose_what_counts(self, stated: TrackerDeployment) -> None:
        for asked, total in (
            ({}, "150.00"),
            ({"basis": "estimate"}, "160.00"),
            ({"basis": "forecast"}, "90.00"),
            ({"basis": "actual"}, "0.00"),
            ({"benefit": "avoided_cost"}, "7.00"),
            ({"recurrence": "one_off"}, "3.00"),
            ({"flow": "cost"}, "20.00"),
            ({"flow": "net"}, "130.00"),
        ):
            ledger = await stated.ledger(OFFICE, **asked)
            assert row(ledger)["total"] == total, asked
            assert {name: ledger[name] for name in asked} == asked

    async def test_one_workstream_alone_is_the_whole_ledger_then(self, stated: TrackerDeployment) -> None:
        ledger = await stated.ledger(OFFICE, workstream="ict")
        assert [one["workstream"] for one in ledger["workstreams"]] == ["ict"]
        assert (ledger["workstream"], ledger["totals"]["total"]) == ("ict", "150.00")

    async def test_the_parts_of_a_filtered_ledger_add_up_to_the_whole(self, stated: TrackerDeployment) -> None:
        parts = [(await stated.ledger(OFFICE, benefit=benefit))["totals"]["total"] for benefit in Benefit]
        whole = (await stated.ledger(OFFICE))["totals"]["total"]
        assert sum(float(part) for part in parts) == float(whole)


class TestACouncilsLedger:
    async def test_has_its_shares_and_nobody_else_s(self, tracker: TrackerDeployment) -> None:
        await tracker.posts(line(1_000))
        await tracker.posts(line(300), scope=EAST_SUSSEX)
        await tracker.posts(line(200), scope=KENT)
        ledger = await tracker.ledger(AUTHOR_ESX, EAST_SUSSEX)
        assert ledger["council"] == {"gss": EAST_SUSSEX, "name": "East Sussex County Council"}
        assert (year(ledger)["in_year"], ledger["totals"]["total"]) == ("300.00", "300.00")
        assert year(ledger)["unapportioned"] is None
        assert ledger["entry_count"] == 1

    async def test_is_seen_by_that_council_the_office_and_auditors(self, tracker: TrackerDeployment) -> None:
        for who in EVERYBODY:
            for path in ("", "/entries"):
                answer = await tracker.get(f"/v1/ledgers/councils/{EAST_SUSSEX}{path}", who)
                if who in (AUTHOR_ESX, FINANCE_ESX, OFFICE, AUDITOR):
                    assert answer.status_code == 200, who
                else:
                    assert answer.status_code == 403, who
                    assert "The share of East Sussex County Council is seen by that council" in answer.json()["detail"]

    async def test_of_a_council_there_is_not_the_others_are_named(self, tracker: TrackerDeployment) -> None:
        for path in ("", "/entries"):
            answer = await tracker.get(f"/v1/ledgers/councils/E10000099{path}", OFFICE)
            assert answer.status_code == 404
            assert answer.json()["detail"] == "South East 7 has no council E10000099."
            assert "E10000011 (East Sussex County Council)" in answer.json()["fix"]


class TestAtATime:
    """As at a day: what was true. Known at a moment: what we knew. Each return is recorded a minute after the last."""

    @pytest.fixture
    async def history(self, tracker: TrackerDeployment) -> TrackerDeployment:
        await tracker.posts(line(100))
        await tracker.posts(line(200), as_at=LATER)
        await tracker.posts(line(150), as_at=DAY + timedelta(days=10))
        return tracker

    async def test_the_ledger_is_what_it_was(self, history: TrackerDeployment) -> None:
        for as_at, known_after_minutes, total in (
            (None, None, "200.00"),
            (LATER, None, "200.00"),
            (LATER - timedelta(days=1), None, "150.00"),
            (DAY + timedelta(days=10), None, "150.00"),
            (DAY + timedelta(days=9), None, "100.00"),
            (DAY - timedelta(days=1), None, "0.00"),
            (None, 1, "100.00"),
            (None, 2, "200.00"),
            (None, 3, "200.00"),
            (LATER - timedelta(days=1), 2, "100.00"),
            (LATER - timedelta(days=1), 3, "150.00"),
            (None, 0, "0.00"),
        ):
            asked = {} if as_at is None else {"as_at": as_at.isoformat()}
            if known_after_minutes is not None:
                asked["known_at"] = moment_text(NOON + timedelta(minutes=known_after_minutes))
            ledger = await history.ledger(OFFICE, **asked)
            assert ledger["totals"]["total"] == total, asked
            assert ledger["as_at"] == asked.get("as_at")
            assert (ledger["known_at"] is None) == (known_after_minutes is None)

    async def test_a_moment_may_be_given_in_any_zone_or_as_a_whole_day(self, history: TrackerDeployment) -> None:
        for known_at, total in (
            ("2012-01-26T14:01:00+02:00", "100.00"),
            ("2012-01-26T12:00:59Z", "0.00"),
            ("2012-01-26", "200.00"),
            ("2012-01-25", "0.00"),
        ):
            assert (await history.ledger(OFFICE, known_at=known_at))["totals"]["total"] == total

    async def test_entries_are_those_that_were_true_and_known(self, history: TrackerDeployment) -> None:
        known_at = moment_text(NOON + timedelta(minutes=2))
        assert [entry["amount"] for entry in await history.entries(OFFICE, known_at=known_at)] == ["100.00", "200.00"]
        as_at = (LATER - timedelta(days=1)).isoformat()
        assert [entry["amount"] for entry in await history.entries(OFFICE, as_at=as_at)] == ["100.00", "150.00"]


class TestABadQuestion:
    async def test_of_a_ledger_is_refused_by_name(self, tracker: TrackerDeployment) -> None:
        for name, given, code in (
            ("as_at", "2011-13-01", "not-a-date"),
            ("as_at", "1323216000", "not-a-date"),
            ("known_at", "2012-01-26T12:00:00", "not-a-moment"),
            ("known_at", "yesterday", "not-a-moment"),
            ("basis", "guess", "unknown-value"),
            ("benefit", "cashable", "unknown-value"),
            ("recurrence", "always", "unknown-value"),
            ("flow", "sideways", "unknown-value"),
            ("workstream", "libraries", "unknown-workstream"),
            ("council", EAST_SUSSEX, "unknown-parameter"),
        ):
            await self.is_refused(tracker, "/v1/ledgers/cumulative", name, given, code)

    async def test_of_entries_likewise(self, tracker: TrackerDeployment) -> None:
        for name, given, code in (
            ("year", "2011/13", "not-a-year"),
            ("basis", "best", "unknown-value"),
            ("flow", "net", "unknown-value"),
            ("limit", "0", "out-of-range"),
            ("limit", "501", "out-of-range"),
            ("limit", "ten", "out-of-range"),
            ("after", "17", "not-a-place"),
            ("after", "1.9999999999999999999", "not-a-place"),
        ):
            await self.is_refused(tracker, "/v1/ledgers/cumulative/entries", name, given, code)

    async def test_of_the_checks_likewise(self, tracker: TrackerDeployment) -> None:
        await self.is_refused(tracker, "/v1/checks", "full", "yes", "unknown-value")

    @staticmethod
    async def is_refused(tracker: TrackerDeployment, path: str, name: str, given: str, code: str) -> None:
        answer = await tracker.get(path, OFFICE, **{name: given})
        assert answer.status_code == 422, (name, given)
        [fault] = answer.json()["errors"]
        assert (fault["pointer"], fault["code"]) == (f"/query/{name}", code)
        assert fault["detail"]
        assert fault["fix"]

    async def test_is_told_all_its_faults_at_once(self, tracker: TrackerDeployment) -> None:
        answer = await tracker.get("/v1/ledgers/cumulative", OFFICE, as_at="soon", basis="guess", workstream="x")
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [
            "/query/as_at",
            "/query/basis",
            "/query/workstream",
        ]


class TestTheEntityTag:
    @pytest.mark.parametrize("path", ["/v1/ledgers/cumulative", "/v1/ledgers/cumulative/entries"])
    async def test_saves_an_answer_that_would_be_the_same(self, tracker: TrackerDeployment, path: str) -> None:
        await tracker.posts(line(300))
        first = await tracker.get(path, OFFICE)
        unchanged = {**tracker.credential(OFFICE), "If-None-Match": first.headers["ETag"]}
        again = await tracker.http.get(path, headers=unchanged)
        assert (again.status_code, again.content) == (304, b"")
        other = await tracker.http.get(path, params={"flow": "cost"}, headers=unchanged)
        assert other.status_code == 200
        await tracker.posts(line(200))
        assert (await tracker.http.get(path, headers=unchanged)).status_code == 200

    async def test_of_the_cumulative_ledger_changes_with_a_share(self, tracker: TrackerDeployment) -> None:
        before = (await tracker.get("/v1/ledgers/cumulative", OFFICE)).headers["ETag"]
        await tracker.posts(line(300), scope=KENT)
        assert (await tracker.get("/v1/ledgers/cumulative", OFFICE)).headers["ETag"] != before

    async def test_of_a_council_s_ledger_does_not_change_with_another_s(self, tracker: TrackerDeployment) -> None:
        path = f"/v1/ledgers/councils/{EAST_SUSSEX}"
        before = (await tracker.get(path, OFFICE)).headers["ETag"]
        await tracker.posts(line(300), scope=KENT)
        assert (await tracker.get(path, OFFICE)).headers["ETag"] == before


class TestAPreview:
    """What the totals would become."""

    @staticmethod
    async def asks(tracker: TrackerDeployment, by: Principal, **different: Any) -> Any:
        one = line(250).model_dump(mode="json", exclude={"line", "reason", "note", "cell"})
        document = {"workstream": "ict", "scope": PARTNERSHIP, "as_at": DAY.isoformat(), "lines": [one]} | different
        return await tracker.http.post("/v1/ledgers/preview", json=document, headers=tracker.credential(by))

    async def test_tells_each_total_before_and_after_and_keeps_nothing(self, tracker: TrackerDeployment) -> None:
        await tracker.posts(line(300), line(100, "2012/13"))
        await tracker.posts(line(1_000), workstream="sen")
        await tracker.posts(line(50), scope=EAST_SUSSEX)
        answer = await self.asks(tracker, LEAD_ICT)
        assert answer.status_code == 200, answer.text
        assert answer.json() == {
            "scope_totals": [
                {"year": "2011/12", "before": "300.00", "after": "250.00"},
                {"year": "2012/13", "before": "400.00", "after": "350.00"},
                {"year": "2013/14", "before": "400.00", "after": "350.00"},
                {"year": "2014/15", "before": "400.00", "after": "350.00"},
            ],
            "workstream_total": {"before": "400.00", "after": "350.00"},
            "ledger_total": {"before": "1400.00", "after": "1350.00"},
            "unapportioned": {"before": "350.00", "after": "300.00"},
        }
        assert (await tracker.ledger(OFFICE))["totals"]["total"] == "1400.00"

    async def test_of_a_share_tells_the_council_s_totals_and_what_is_left_unapportioned(
        self, tracker: TrackerDeployment
    ) -> None:
        await tracker.posts(line(1_000))
        answer = (await self.asks(tracker, FINANCE_ESX, scope=EAST_SUSSEX)).json()
        assert answer["ledger_total"] == {"before": "0.00", "after": "250.00"}
        assert answer["unapportioned"] == {"before": "1000.00", "after": "750.00"}

    async def test_about_an_earlier_day_changes_nothing(self, tracker: TrackerDeployment) -> None:
        await tracker.posts(line(300))
        earlier = (DAY - timedelta(days=1)).isoformat()
        answer = (await self.asks(tracker, LEAD_ICT, as_at=earlier)).json()
        assert answer["workstream_total"] == {"before": "300.00", "after": "300.00"}

    async def test_says_what_posting_then_does(self, tracker: TrackerDeployment) -> None:
        await tracker.posts(line(300))
        promised = (await self.asks(tracker, LEAD_ICT)).json()["workstream_total"]["after"]
        await tracker.posts(line(250))
        assert row(await tracker.ledger(OFFICE))["total"] == promised

    async def test_of_several_returns_tells_of_each_as_if_it_alone_were_kept(self, tracker: TrackerDeployment) -> None:
        await tracker.posts(line(300))
        await tracker.posts(line(1_000), workstream="sen")
        await tracker.posts(line(50), scope=EAST_SUSSEX)
        one = {"lines": [line(250).model_dump(mode="json", exclude={"line", "reason", "note", "cell"})]}
        about = {"workstream": "ict", "scope": PARTNERSHIP, "as_at": DAY.isoformat()}
        asked = [about | one, about | one | {"scope": EAST_SUSSEX}, about | one | {"workstream": "waste"}]
        answer = await tracker.http.post("/v1/ledgers/preview", json=asked, headers=tracker.credential(FINANCE_ESX))
        assert answer.status_code == 200, answer.text
        assert answer.json() == [(await self.asks(tracker, FINANCE_ESX, **question)).json() for question in asked]
        assert [one["ledger_total"] for one in answer.json()] == [
            {"before": "1300.00", "after": "1250.00"},
            {"before": "50.00", "after": "250.00"},
            {"before": "1300.00", "after": "1550.00"},
        ]

    async def test_of_several_is_forbidden_where_one_is_another_council_s(self, tracker: TrackerDeployment) -> None:
        about: dict[str, Any] = {"workstream": "ict", "as_at": DAY.isoformat(), "lines": []}
        asked = [about | {"scope": EAST_SUSSEX}, about | {"scope": KENT}]
        answer = await tracker.http.post("/v1/ledgers/preview", json=asked, headers=tracker.credential(FINANCE_ESX))
        assert answer.status_code == 403

    async def test_of_another_council_s_share_is_forbidden(self, tracker: TrackerDeployment) -> None:
        answer = await self.asks(tracker, FINANCE_ESX, scope=KENT)
        assert answer.status_code == 403

    async def test_is_for_those_who_state(self, tracker: TrackerDeployment) -> None:
        for who in (AUTHOR_ESX, OFFICE, AUDITOR):
            assert (await self.asks(tracker, who)).status_code == 403

    async def test_names_what_it_does_not_know(self, tracker: TrackerDeployment) -> None:
        bad = line(1, "2031/32").model_dump(mode="json", exclude={"line", "reason", "note", "cell"})
        answer = await self.asks(tracker, FINANCE_ESX, workstream="libraries", scope="E1", lines=[bad])
        assert answer.status_code == 422
        assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == [
            ("/workstream", "unknown-workstream"),
            ("/scope", "unknown-scope"),
            ("/lines/0/year", "unknown-year"),
        ]

    async def test_that_cannot_be_read_is_refused(self, tracker: TrackerDeployment) -> None:
        for body in (b"", b"{", b"[]", b'{"workstream": "ict"}', b'{"x": NaN}'):
            answer = await tracker.http.post(
                "/v1/ledgers/preview", content=body, headers=tracker.credential(FINANCE_ESX)
            )
            assert answer.status_code == 422, body
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["errors"]
