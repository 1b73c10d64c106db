"""What a person does on the chat page, for the browser tests."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

__all__ = ["ask", "choose_model", "conversation", "last_answer", "more", "new_chat", "send", "sign_in"]


def sign_in(page: Page, name: str, password: str) -> None:
    """Sign in through the form and arrive at an empty chat."""
    page.goto("/login")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="What can I help with?")).to_be_visible()


def new_chat(page: Page, model: str = "Echo") -> None:
    """Open an empty conversation with a model of the example provider."""
    page.goto("/")
    choose_model(page, model)


def choose_model(page: Page, model: str) -> None:
    """Choose a model of the example provider, by the name that people see."""
    picker = page.get_by_label("Model", exact=True)
    expect(picker.locator("optgroup[label=example-provider] option", has_text=model)).to_be_attached()
    picker.select_option(f"example-provider/{model.lower()}")
    expect(picker).to_have_value(f"example-provider/{model.lower()}")


def send(page: Page, text: str) -> None:
    """Write a message and send it with the button."""
    page.get_by_label("Message", exact=True).fill(text)
    page.get_by_role("button", name="Send").click()


def ask(page: Page, text: str) -> Locator:
    """Send a message and return the answer to it once it is complete."""
    count = page.get_by_test_id("message-assistant").count()
    send(page, text)
    answer = page.get_by_test_id("message-assistant").nth(count)
    expect(answer).to_have_attribute("data-status", "done")
    return answer


def last_answer(page: Page) -> Locator:
    """The answer at the end of the conversation."""
    return page.get_by_test_id("message-assistant").last


def conversation(page: Page, title: str) -> Locator:
    """A conversation in the sidebar."""
    sidebar = page.get_by_role("navigation", name="Conversations and pages")
    return sidebar.get_by_role("link", name=title, exact=True)


def more(page: Page, title: str, choice: str) -> None:
    """Choose something from the menu of a conversation in the sidebar."""
    conversation(page, title).hover()
    page.get_by_role("button", name=f"More for {title}").click()
    page.get_by_role("menuitem", name=choice).click()
