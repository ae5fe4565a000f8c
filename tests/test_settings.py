"""Settings: layers, forms of the database URL, what staging and prod refuse, errors without secrets."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from work_data_hub.errors import ConfigError
from work_data_hub.settings import DEV_SALT, ENV_FILES, Settings, env_example, get_client_settings, get_settings

pytestmark = pytest.mark.unit

CANARY = "canary-in-the-mine"
URL = "postgresql://wdh@db.example/hub"
PARTS = {"WDH_DATABASE__HOST": "db.example", "WDH_DATABASE__USER": "wdh", "WDH_DATABASE__DB": "hub"}
PROD = {"ENVIRONMENT": "prod", "DATABASE_URL": URL, "WDH_ALIAS_SALT": "a-salt-of-our-own"}
ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty folder, and none of our variables set."""
    monkeypatch.chdir(tmp_path)
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.validation_alias), raising=False)
    for part in ("URI", "HOST", "PORT", "USER", "PASSWORD", "DB"):
        monkeypatch.delenv(f"WDH_DATABASE__{part}", raising=False)
        monkeypatch.delenv(f"WDH_LEGACY__{part}", raising=False)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> "Given":
    return Given(monkeypatch)


class Given:
    """Sets variables in the shell or in a file, and reads the settings."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(self, variables: dict[str, str], *, file: str | None = None) -> "Given":
        if file is not None:
            Path(file).write_text("".join(f"{name}={value}\n" for name, value in variables.items()), encoding="utf-8")
            return self
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)
        return self

    def read(self) -> Settings:
        get_settings.cache_clear()
        try:
            return get_settings()
        finally:
            get_settings.cache_clear()

    @property
    def url(self) -> str | None:
        url = self.read().database_url
        return None if url is None else url.get_secret_value()


def test_without_anything_set_the_defaults_hold(given: Given, tmp_path: Path) -> None:
    settings = given.read()

    assert (settings.environment, settings.database_url, settings.log_level) == ("dev", None, "INFO")
    assert (settings.home, settings.data_root) == (tmp_path / ".wdh", tmp_path / "data")
    assert (settings.db_pool_size, settings.db_batch_size) == (10, 1000)
    assert "log_level" not in settings.model_fields_set


def test_the_shell_beats_env_which_beats_wdh_env(given: Given) -> None:
    given({"LOG_LEVEL": "ERROR", "MAX_WORKERS": "7", "DB_POOL_SIZE": "3"}, file=".wdh_env")
    given({"LOG_LEVEL": "WARNING", "MAX_WORKERS": "8"}, file=".env")
    settings = given({"LOG_LEVEL": "DEBUG"}).read()

    assert (settings.log_level, settings.max_workers, settings.db_pool_size) == ("DEBUG", 8, 3)


@pytest.mark.parametrize(
    ("shell", "url"),
    [
        ({}, "postgresql://from-file@h/d"),
        ({"DATABASE_URL": URL}, URL),
        ({"WDH_DATABASE__URI": URL}, URL),
        (PARTS, "postgresql://wdh@db.example:5432/hub"),
        ({"DATABASE_URL": ""}, None),
        ({"DATABASE_URL": "", "WDH_DATABASE__URI": URL}, URL),
    ],
)
def test_the_database_of_the_shell_beats_any_form_of_it_in_a_file(
    given: Given, shell: dict[str, str], url: str | None
) -> None:
    given({"DATABASE_URL": "postgresql://from-file@h/d"}, file=".env")

    assert given(shell).url == url


def test_the_password_may_come_from_the_shell_and_the_rest_from_a_file(given: Given) -> None:
    given(PARTS, file=".env")

    assert given({"WDH_DATABASE__PASSWORD": "x"}).url == "postgresql://wdh:x@db.example:5432/hub"


ODD, QUOTED = "@:/?#%", "%40%3A%2F%3F%23%25"


@pytest.mark.parametrize(
    ("parts", "url"),
    [
        ({"WDH_DATABASE__PASSWORD": ODD}, f"postgresql://wdh:{QUOTED}@db.example:5432/hub"),
        ({"WDH_DATABASE__PORT": "5433"}, "postgresql://wdh@db.example:5433/hub"),
        ({"WDH_DATABASE__HOST": "::1"}, "postgresql://wdh@[::1]:5432/hub"),
        ({"WDH_DATABASE__HOST": "/run/pg"}, "postgresql://wdh@%2Frun%2Fpg:5432/hub"),
        ({"WDH_DATABASE__DB": "数据"}, "postgresql://wdh@db.example:5432/%E6%95%B0%E6%8D%AE"),
    ],
)
def test_parts_of_the_database_are_quoted(given: Given, parts: dict[str, str], url: str) -> None:
    assert given(PARTS | parts).url == url


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+psycopg", "POSTGRES"])
def test_every_spelling_of_the_scheme_becomes_postgresql(given: Given, scheme: str) -> None:
    assert given({"DATABASE_URL": f"{scheme}://wdh@db.example/hub"}).url == URL


def test_a_dollar_in_a_file_stays_as_written(given: Given) -> None:
    given({"WDH_ALIAS_SALT": "a${HOME}b"}, file=".env")

    assert given.read().alias_salt.get_secret_value() == "a${HOME}b"


def test_a_file_with_a_byte_order_mark_is_read(given: Given) -> None:
    Path(".env").write_text("\ufeffMAX_WORKERS=2\n", encoding="utf-8")

    assert given.read().max_workers == 2


def test_a_file_that_is_no_text_is_named(given: Given) -> None:
    Path(".env").write_bytes(b"A=\xff\xfe\n")

    with pytest.raises(ConfigError, match=r"\.env: the file cannot be read"):
        given.read()


def test_prod_takes_a_postgresql_url_and_a_salt_of_its_own(given: Given) -> None:
    assert given(PROD).read().environment == "prod"


def test_whoever_only_asks_an_api_needs_no_database_and_no_salt(given: Given) -> None:
    given({"ENVIRONMENT": "prod"})

    settings = get_client_settings()

    assert (settings.environment, settings.database_url) == ("prod", None)


def test_whoever_only_asks_an_api_kills_nothing_outside_dev(given: Given) -> None:
    given({"ENVIRONMENT": "prod", "WDH_FAULT": "before_commit"})

    with pytest.raises(ConfigError, match="WDH_FAULT must not be set"):
        get_client_settings()


@pytest.mark.parametrize("environment", ["staging", "prod", "PROD"])
@pytest.mark.parametrize(
    ("variables", "field"),
    [
        ({"DATABASE_URL": ""}, "DATABASE_URL"),
        ({"DATABASE_URL": "sqlite:///hub.db"}, "DATABASE_URL"),
        ({"WDH_ALIAS_SALT": ""}, "WDH_ALIAS_SALT"),
        ({"WDH_ALIAS_SALT": DEV_SALT}, "WDH_ALIAS_SALT"),
        ({"WDH_FAULT": "before_commit"}, "WDH_FAULT"),
    ],
)
def test_staging_and_prod_refuse_what_only_dev_may(
    given: Given, environment: str, variables: dict[str, str], field: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        given(PROD | {"ENVIRONMENT": environment} | variables).read()

    assert raised.value.field == field
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("variables", "field"),
    [
        ({"ENVIRONMENT": "production"}, "ENVIRONMENT"),
        ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL"),
        ({"LOG_FORMAT": "xml"}, "LOG_FORMAT"),
        ({"LOG_TO_FILE": "perhaps"}, "LOG_TO_FILE"),
        ({"MAX_WORKERS": "0"}, "MAX_WORKERS"),
        ({"DB_POOL_SIZE": "many"}, "DB_POOL_SIZE"),
        ({"MAX_WORKERS": "0", "DB_BATCH_SIZE": "-1"}, "MAX_WORKERS, DB_BATCH_SIZE"),
        ({"WDH_DATABASE__PORT": "x"} | PARTS, "WDH_DATABASE__PORT"),
        ({"WDH_DATABASE__PASSWORD": CANARY}, "WDH_DATABASE__HOST"),
        ({"DATABASE_URL": f"mysql://wdh:{CANARY}@h/d"}, "DATABASE_URL"),
        ({"DATABASE_URL": f"postgresql://wdh:{CANARY}/x@h/d"}, "DATABASE_URL"),
        ({"DATABASE_URL": f"host=h password={CANARY}"}, "DATABASE_URL"),
        ({"WDH_EQC_BASE_URL": "registry.example"}, "WDH_EQC_BASE_URL"),
        ({"WDH_EQC_BASE_URL": f"https://user:{CANARY}@registry.example"}, "WDH_EQC_BASE_URL"),
        ({"WDH_EQC_BASE_URL": f"https://registry.example/?token={CANARY}"}, "WDH_EQC_BASE_URL"),
        ({"WDH_EQC_BASE_URL": "https://registry.example:port"}, "WDH_EQC_BASE_URL"),
        ({"WDH_EQC_BASE_URL": "ftp://registry.example"}, "WDH_EQC_BASE_URL"),
        ({"WDH_EQC_TOKEN": f"{CANARY} {CANARY}"}, "WDH_EQC_TOKEN"),
        ({"WDH_EQC_TOKEN": f"令牌{CANARY}"}, "WDH_EQC_TOKEN"),
        ({"WDH_EQC_TOKEN": " "}, "WDH_EQC_TOKEN"),
        ({"WDH_EQC_TOKEN": CANARY[:7]}, "WDH_EQC_TOKEN"),
        ({"WDH_EQC_TIMEOUT": "0"}, "WDH_EQC_TIMEOUT"),
        ({"WDH_EQC_TIMEOUT": "nan"}, "WDH_EQC_TIMEOUT"),
        ({"WDH_EQC_RATE_LIMIT": "0"}, "WDH_EQC_RATE_LIMIT"),
        ({"WDH_EQC_RETRY_MAX": "-1"}, "WDH_EQC_RETRY_MAX"),
        (
            {"DATABASE_URL": f"postgresql://a:{CANARY}@h/d", "WDH_DAGSTER_PG_URL": "postgresql://b@h/d"},
            "WDH_DAGSTER_PG_URL",
        ),
    ],
)
def test_a_wrong_value_names_its_variable_and_shows_no_secret(
    given: Given, variables: dict[str, str], field: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        given(variables).read()

    assert raised.value.field == field
    assert CANARY not in f"{raised.value} {raised.value!r} {raised.value.__cause__!r}"


def test_no_secret_shows_in_the_settings_or_their_errors() -> None:
    settings = Settings(database_url=SecretStr(f"postgresql://u:{CANARY}@h/d"), alias_salt=SecretStr(CANARY))
    with pytest.raises(ValidationError) as raised:
        Settings(database_url=SecretStr(f"http://u:{CANARY}@h/d"))

    assert CANARY not in f"{settings} {settings!r} {settings.model_dump()} {raised.value}"


def test_arguments_beat_the_environment(given: Given) -> None:
    given({"MAX_WORKERS": "9"})

    assert Settings(max_workers=2).max_workers == 2


LEGACY = {name.replace("DATABASE", "LEGACY"): value for name, value in PARTS.items()}


@pytest.mark.parametrize(
    ("shell", "url"),
    [
        ({}, None),
        ({"WDH_LEGACY__URI": "postgres://reader@old.example/hub"}, "postgresql://reader@old.example/hub"),
        (LEGACY | {"WDH_LEGACY__PASSWORD": ODD}, f"postgresql://wdh:{QUOTED}@db.example:5432/hub"),
        (LEGACY | {"WDH_LEGACY__PORT": "5433"}, "postgresql://wdh@db.example:5433/hub"),
    ],
)
def test_the_legacy_database_is_named_whole_or_in_parts(given: Given, shell: dict[str, str], url: str | None) -> None:
    settings = given(shell).read()

    assert (settings.legacy_url.get_secret_value() if settings.legacy_url else None) == url
    assert settings.database_url is None


def test_the_legacy_database_of_the_shell_beats_that_of_a_file(given: Given) -> None:
    given(LEGACY, file=".env")
    settings = given({"WDH_LEGACY__URI": URL}).read()

    assert settings.legacy_url is not None
    assert settings.legacy_url.get_secret_value() == URL


@pytest.mark.parametrize(
    ("variables", "field"),
    [
        ({"WDH_LEGACY__PASSWORD": CANARY}, "WDH_LEGACY__HOST"),
        (LEGACY | {"WDH_LEGACY__PORT": "x", "WDH_LEGACY__PASSWORD": CANARY}, "WDH_LEGACY__PORT"),
        ({"WDH_LEGACY__URI": f"mysql://wdh:{CANARY}@h/d"}, "WDH_LEGACY__URI"),
    ],
)
def test_a_legacy_database_named_wrongly_is_refused_without_its_password(
    given: Given, variables: dict[str, str], field: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        given(variables).read()

    assert raised.value.field == field
    assert CANARY not in f"{raised.value} {raised.value!r} {raised.value.__cause__!r}"


def test_the_legacy_password_is_a_secret(given: Given) -> None:
    settings = given(LEGACY | {"WDH_LEGACY__PASSWORD": CANARY}).read()

    assert settings.secret_values() == (CANARY,)
    assert CANARY not in f"{settings} {settings!r} {settings.model_dump()}"


def test_a_token_under_eight_characters_is_refused_unseen(given: Given) -> None:
    with pytest.raises(ConfigError, match="under 8 characters") as raised:
        given({"WDH_EQC_TOKEN": " Qz7#Kx9 "}).read()

    assert "Qz7" not in f"{raised.value} {raised.value!r} {vars(raised.value)}"
    assert given({"WDH_EQC_TOKEN": "Qz7#Kx9!"}).read().eqc_token == SecretStr("Qz7#Kx9!")


def test_the_registry_s_token_is_a_secret_without_the_blanks_around_it(given: Given) -> None:
    settings = given({"WDH_EQC_TOKEN": f" {CANARY}\t"}).read()

    assert settings.secret_values() == (CANARY,)
    assert CANARY not in f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("https://registry.example/", "https://registry.example"),
        ("HTTPS://registry.example/eqc/", "https://registry.example/eqc"),
        ("http://127.0.0.1:8099", "http://127.0.0.1:8099"),
        ("http://[::1]:8099", "http://[::1]:8099"),
        ("http://localhost:8099", "http://localhost:8099"),
    ],
)
def test_prod_asks_a_registry_encrypted_or_on_this_machine(given: Given, url: str, read: str) -> None:
    assert given(PROD | {"WDH_EQC_BASE_URL": url}).read().eqc_base_url == read


@pytest.mark.parametrize("url", ["http://registry.example", "http://127.0.0.1.example", "HTTP://10.0.0.1"])
def test_only_dev_sends_the_token_unencrypted(given: Given, url: str) -> None:
    assert given({"WDH_EQC_BASE_URL": url}).read().eqc_base_url
    with pytest.raises(ConfigError, match="https"):
        given(PROD | {"WDH_EQC_BASE_URL": url}).read()


def test_the_registry_s_limits_have_defaults(given: Given) -> None:
    settings = given.read()

    assert (settings.eqc_base_url, settings.eqc_token, settings.eqc_enabled) == (None, None, True)
    assert (settings.eqc_timeout_seconds, settings.eqc_retry_max, settings.eqc_rate_limit) == (30, 3, 10)
    assert (settings.eqc_rate_limit_window_seconds, settings.eqc_sync_budget, settings.eqc_run_seconds) == (60, 500, 90)
    assert (settings.eqc_freshness_days, settings.eqc_refresh_batch_size) == (90, 100)
    assert settings.eqc_refresh_requests_per_second == 1


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().max_workers = 3


def test_settings_are_read_once(given: Given) -> None:
    get_settings.cache_clear()
    first = get_settings()
    given({"MAX_WORKERS": "9"})

    assert get_settings() is first
    get_settings.cache_clear()


def test_secret_values_are_passwords_as_written_and_as_meant() -> None:
    settings = Settings(
        database_url=SecretStr("postgresql://u:p%40ssword@h/d"),  # pragma: allowlist secret
        dagster_pg_url=SecretStr("postgresql://u@h/dagster?password=another"),
        alias_salt=SecretStr("a-salt-of-our-own"),
    )

    assert set(settings.secret_values()) == {"p%40ssword", "p@ssword", "another", "a-salt-of-our-own"}


def test_what_is_shown_anyway_is_no_secret() -> None:
    assert Settings(database_url=SecretStr("postgresql://postgres:postgres@h/d")).secret_values() == ()


def test_the_example_file_is_what_the_settings_say() -> None:
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == env_example()


def test_the_example_file_names_every_variable_and_sets_none(given: Given) -> None:
    Path(ENV_FILES[0]).write_text(env_example(), encoding="utf-8")
    names = {str(field.validation_alias) for field in Settings.model_fields.values()} | set(PARTS) | set(LEGACY)

    assert all(f"\n#{name}=" in env_example() for name in names)
    assert given.read().model_fields_set == set()


def test_every_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
