"""What the environment may say, and how a studio refuses what it may not."""

from pathlib import Path

import pytest

from aichat.environment import Environment, InvalidEnvironmentError, read_environment

ROOT = Path("/srv/studio")


def read(**variables: str) -> Environment:
    """Read an environment that holds only `variables`."""
    return read_environment(variables, ROOT)


def test_everything_has_a_default() -> None:
    environment = read()
    assert environment.data == ROOT / "var"
    assert (environment.run, environment.store, environment.envs) == tuple(
        ROOT / "var" / n for n in ("run", "store", "envs")
    )
    assert environment.plugins == ROOT / "installed_plugins"
    assert environment.packages == ROOT / "var/packages"
    assert (environment.host, environment.port, environment.node) == ("127.0.0.1", 8000, "local")
    assert environment.database_url == f"sqlite:///{ROOT}/var/studio.sqlite3"
    assert environment.embedded_redis
    assert not environment.debug


def test_an_empty_value_counts_as_not_set() -> None:
    assert read(PORT="", REDIS_URL=" ", STUDIO_DATA="") == read()


def test_the_embedded_redis_is_a_socket_in_both_spellings() -> None:
    environment = read()
    assert environment.redis_py_url == f"unix://{environment.redis_socket}"
    assert environment.celery_broker_url == f"redis+socket://{environment.redis_socket}"


@pytest.mark.parametrize(
    ("given", "redis_py", "celery"),
    [
        ("redis://h:6379/3", "redis://h:6379/3", "redis://h:6379/3"),
        ("unix:///s/r.sock?db=2", "unix:///s/r.sock?db=2", "redis+socket:///s/r.sock?virtual_host=2"),
        ("redis+socket:///s/r.sock?virtual_host=2", "unix:///s/r.sock?db=2", "redis+socket:///s/r.sock?virtual_host=2"),
    ],
)
def test_a_given_redis_is_spelled_for_each_client(given: str, redis_py: str, celery: str) -> None:
    environment = read(REDIS_URL=given)
    assert not environment.embedded_redis
    assert (environment.redis_py_url, environment.celery_broker_url) == (redis_py, celery)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("STUDIO_TITLES", "poet"),
        ("STUDIO_DELETED_DAYS", "soon"),
        ("STUDIO_IDLE_DAYS", "-1"),
        ("STUDIO_ATTACHMENT_MB", "0"),
        ("PORT", "http"),
        ("PORT", "-1"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "8000.5"),
        ("PORT", "²"),
        ("WEB_WORKERS", "0"),
        ("WORKER_CONCURRENCY", "many"),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "http://localhost"),
        ("REDIS_URL", "redis://"),
        ("REDIS_URL", "redis://host:notaport/0"),
        ("DATABASE_URL", "mysql://host/name"),
        ("DATABASE_URL", "studio.sqlite3"),
        ("DATABASE_URL", "postgres://[half"),
        ("STUDIO_SECRET_KEYS", "too-short"),
        ("STUDIO_NODE", "two words"),
        ("STUDIO_NODE", "-dash"),
        ("STUDIO_NODE_EXPIRY", "0"),
        ("STUDIO_NODE_EXPIRY", "1 day"),
        ("STUDIO_DEBUG", "maybe"),
        ("DEV", "2"),
        ("STUDIO_DATA", "/" + "d" * 200),
        ("STUDIO_DATA", __file__),
        ("STUDIO_PLUGINS", __file__),
    ],
)
def test_a_bad_value_is_refused_with_its_name_and_what_would_be_right(variable: str, value: str) -> None:
    with pytest.raises(InvalidEnvironmentError) as refused:
        read(**{variable: value})
    assert refused.value.variable == variable
    assert str(refused.value).startswith(f"{variable}: ")
    assert refused.value.expected in str(refused.value)


@pytest.mark.parametrize("variable", ["REDIS_URL", "DATABASE_URL"])
def test_a_password_in_a_url_is_never_repeated(variable: str) -> None:
    with pytest.raises(InvalidEnvironmentError) as refused:
        read(**{variable: "gopher://user:hunter2@host/name"})
    assert "hunter2" not in str(refused.value)


def test_the_longest_data_directory_that_a_socket_fits_in_is_accepted() -> None:
    longest = "/" + "d" * (107 - len("/run/valkey.sock") - 1)
    assert len(str(read(STUDIO_DATA=longest).redis_socket)) == 107
    with pytest.raises(InvalidEnvironmentError, match="at most 91 bytes"):
        read(STUDIO_DATA=longest + "d")
    assert read(STUDIO_DATA=longest + "d", REDIS_URL="redis://h").data == Path(longest + "d")


def test_another_process_reads_the_same_from_what_is_handed_on() -> None:
    for given in (
        {},
        {"REDIS_URL": "redis://h/1", "PORT": "81", "DEV": "1", "STUDIO_ALLOWED_HOSTS": "a.example, b.example"},
    ):
        environment = read(**given)
        assert read_environment(environment.as_environ(), Path("/elsewhere")) == environment


def test_webhooks_may_go_to_what_is_named() -> None:
    environment = read(STUDIO_WEBHOOK_ALLOW="hooks.internal, 10.1.0.0/16 fd00::1", STUDIO_WEBHOOK_SCHEDULE="0, 0.5,300")
    assert list(environment.webhook_allow) == ["hooks.internal", "10.1.0.0/16", "fd00::1"]
    assert list(environment.webhook_schedule) == [0, 0.5, 300]
    assert read_environment(environment.as_environ(), ROOT) == environment
    assert not read().webhook_allow and len(read().webhook_schedule) == 10


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("STUDIO_WEBHOOK_ALLOW", "http://hooks.internal"),
        ("STUDIO_WEBHOOK_ALLOW", "10.1.0.0/64"),
        ("STUDIO_WEBHOOK_ALLOW", "*"),
        ("STUDIO_WEBHOOK_SCHEDULE", "0,soon"),
        ("STUDIO_WEBHOOK_SCHEDULE", "-1"),
    ],
)
def test_what_webhooks_cannot_go_by_is_refused(variable: str, value: str) -> None:
    with pytest.raises(InvalidEnvironmentError) as caught:
        read(**{variable: value})
    assert caught.value.variable == variable
