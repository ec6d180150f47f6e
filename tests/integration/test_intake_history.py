"""What a return costs to decide does not grow with what was stated before it, on either database."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import Connection, event, text

from services.intake import account_history
from services.intake.stated_figures import StatedFigures
from services.intake.tables import figures
from shared.figures import Account, Basis, Benefit, Flow, Recurrence, Scope, WorkstreamCode
from shared.financial_year import FinancialYear
from tests.intake_deployment import IntakeDeployment

FIRST_DAY = date(2011, 4, 1)
DAYS = 400
#: What the plans say of reading all figures; in one of them they go by another name.
READ_THROUGH = ("Seq Scan on figures", "SCAN figures", "SCAN stated")


def account(year: int) -> Account:
    return Account(
        scope=Scope("E10000011"),
        workstream=WorkstreamCode("ict"),
        initiative="",
        year=FinancialYear(year),
        basis=Basis.ESTIMATE,
        benefit=Benefit.CASH_RELEASING,
        recurrence=Recurrence.RECURRING,
        flow=Flow.SAVING,
    )


async def test_the_figures_before_are_found_by_their_key_and_never_read_through(intake: IntakeDeployment) -> None:
    accounts = [account(year) for year in range(2011, 2041)]
    asked = {(str(each), FIRST_DAY + timedelta(days=200)): each for each in accounts}
    plans: list[str] = []

    def explain(connection: Connection, _cursor: object, statement: str, given: object, *_: object) -> None:
        if statement.startswith("SELECT"):
            on_postgresql = connection.dialect.name == "postgresql"
            explaining = f"EXPLAIN {statement}" if on_postgresql else f"EXPLAIN QUERY PLAN {statement}"
            plans.extend(str(row[-1]) for row in connection.exec_driver_sql(explaining, given))  # type: ignore[arg-type]

    async with intake.intake.database.write() as connection:
        await connection.execute(
            figures.insert(),
            [
                {
                    "account": str(each),
                    "as_at": FIRST_DAY + timedelta(days=days),
                    "version": days + 1,
                    "status": "quantified",
                    "amount_pence": days,
                }
                for each in accounts
                for days in range(DAYS)
            ],
        )
        # Where the database knows how much there is, and where it does not.
        for known_well in (False, True):
            if known_well:
                await connection.execute(text("ANALYZE figures"))
            event.listen(connection.sync_connection, "before_cursor_execute", explain)
            found = StatedFigures()
            await account_history.figures_as_at(connection, asked, found)
            event.remove(connection.sync_connection, "before_cursor_execute", explain)
            for each in accounts:
                figure = found.as_at(str(each), FIRST_DAY + timedelta(days=200))
                assert figure is not None
                assert figure.amount_pence == 200
    assert plans
    read_through = [line for line in plans if any(told in line for told in READ_THROUGH)]
    assert not read_through, "\n".join(plans)
