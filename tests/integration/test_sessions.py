"""`/api/auth`: logging in with a browser's session, and what CSRF asks of it."""

import json
import urllib.error
import urllib.request
from http.cookiejar import CookieJar

import pytest

from tests.studio import Response, Studio


class Browser:
    """Keeps cookies, and sends the CSRF token when told to."""

    def __init__(self, studio: Studio) -> None:
        self.studio, self.jar = studio, CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))

    def send(self, method: str, path: str, body: object = None, csrf: bool = True) -> Response:
        tokens = [cookie.value for cookie in self.jar if cookie.name == "csrftoken"]
        headers = {"Content-Type": "application/json"} | ({"X-CSRFToken": tokens[0] or ""} if csrf and tokens else {})
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.studio.url + path, data=data, headers=headers, method=method)
        try:
            with self.opener.open(request, timeout=20) as answer:
                return Response(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Response(error.code, error.headers, error.read())


@pytest.fixture
def browser(studio: Studio) -> Browser:
    return Browser(studio)


def test_log_in_use_log_out(studio: Studio, browser: Browser) -> None:
    assert browser.send("GET", "/api/auth/me").json()["code"] == "unauthenticated"
    name, password = studio.first_login
    me = browser.send("POST", "/api/auth/login", {"username": name, "password": password})
    assert (me.status, me.json()) == (200, {"username": name, "is_operator": True})
    assert browser.send("GET", "/api/auth/me/").json()["username"] == name

    refused = browser.send("POST", "/api/plugins/discover", {}, csrf=False)
    assert (refused.status, refused.json()["code"]) == (403, "csrf_failed")
    assert browser.send("POST", "/api/plugins/discover", {}).status == 200

    assert browser.send("POST", "/api/auth/logout", {}).status == 204
    assert browser.send("GET", "/api/plugins").status == 401


def test_logging_in_needs_the_csrf_token_and_the_right_password(studio: Studio, browser: Browser) -> None:
    wrong = {"username": "nobody", "password": "wrong"}
    assert browser.send("POST", "/api/auth/login", wrong).json()["code"] == "csrf_failed"
    browser.send("GET", "/api/auth/me")
    answer = browser.send("POST", "/api/auth/login", wrong)
    assert (answer.status, answer.json()["code"]) == (401, "credentials_invalid")
    assert browser.send("POST", "/api/auth/login", {"username": "x"}).json()["code"] == "invalid"


def test_guessing_is_slowed_down(studio: Studio, browser: Browser) -> None:
    browser.send("GET", "/api/auth/me")
    guess = {"username": "guessed", "password": "wrong"}
    codes = [browser.send("POST", "/api/auth/login", guess).json()["code"] for _ in range(11)]
    assert codes == ["credentials_invalid"] * 10 + ["rate_limited"]


def test_who_knows_the_password_may_log_in_as_often_as_they_like(studio: Studio, browser: Browser) -> None:
    browser.send("GET", "/api/auth/me")
    name, password = studio.first_login
    for _ in range(12):
        assert browser.send("POST", "/api/auth/login", {"username": name, "password": password}).status == 200
