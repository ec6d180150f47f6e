"""A person signs in with their council's account in a real browser; the provider is a stand-in on its own socket."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect
from pydantic import SecretStr

from tests.listening import listening
from tests.openid_provider import CLIENT_ID, CLIENT_SECRET, provider_running
from tests.reporting_service import Streams, served

pytestmark = pytest.mark.browser

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


async def violations(page: Page) -> list[str]:
    found = await Axe().run(page, options={"runOnly": {"type": "tag", "values": TAGS}})
    return [f"{each['id']}: {each['help']}" for each in found.response["violations"]]


async def test_a_person_signs_in_with_an_account_and_out_again(browser: Browser, tmp_path: Path) -> None:
    async with (
        provider_running() as provider,
        served(
            tmp_path,
            oidc_issuer=provider.issuer,
            oidc_client_id=CLIENT_ID,
            oidc_client_secret=SecretStr(CLIENT_SECRET),
            oidc_grants_file=Path("deploy/partnerships/se7-sign-in.toml"),
        ) as service,
        listening(service.app) as address,
    ):
        await service.send(*Streams().january_2012())
        # Another site to the browser: the cookies must survive the way there and back.
        page = await (await browser.new_context(base_url=address.replace("127.0.0.1", "localhost"))).new_page()
        provider.claims = {"sub": "1", "email": "jo@eastsussex.example"}
        await page.goto("/tracker?basis=estimate")
        assert await violations(page) == []
        await page.screenshot(path=Path("var/screenshots/sign-in-account.png"), full_page=True)
        account = page.get_by_role("button", name="Sign in with your council account")
        await account.click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("You have no part in this yet")
        await expect(page.locator("main")).to_contain_text("Ask the programme office of South East 7")
        assert await violations(page) == []
        await page.screenshot(path=Path("var/screenshots/no-part.png"), full_page=True)

        provider.claims["roles"] = ["se7-savings-author-esx"]
        await page.goto("/tracker?basis=estimate")
        await account.click()
        await expect(page.get_by_text("Signed in as jo@eastsussex.example")).to_be_visible()
        assert page.url.endswith("/tracker?basis=estimate")
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
        await page.goto("/tracker")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
        await page.context.close()
