from decimal import Decimal
from pathlib import Path

import pytest

from work_data_hub.domain.source import Fallback, FileSelection, Source, VersionStrategy
from work_data_hub.errors import ConfigError
from work_data_hub.io.config_files import (
    config_version,
    load_mapping,
    load_mappings,
    load_sources,
    source_for,
)

pytestmark = pytest.mark.unit

SHIPPED = Path(__file__).parents[2] / "config"
DOMAIN = 'base_path: "{YYYYMM}/in", file_patterns: ["*.xlsx"], sheet_names: ["规模明细"]'


def sources(folder: Path, *, defaults: str = "{}", domain: str = DOMAIN) -> dict[str, Source]:
    (folder / "data_sources.yml").write_text(
        f'schema_version: "1.2"\ndefaults: {defaults}\ndomains:\n  one: {{{domain}}}\n', encoding="utf-8"
    )
    return load_sources(folder)


def mapping(folder: Path, text: str) -> dict[str, str]:
    (folder / "mappings").mkdir(exist_ok=True)
    (folder / "mappings" / "branches.yml").write_text(text, encoding="utf-8")
    return load_mapping(folder, "branches")


def test_shipped_sources_are_five_domains() -> None:
    loaded = load_sources(SHIPPED)

    assert [name for name, source in loaded.items() if source.all_domains] == [
        "annuity_performance",
        "annuity_income",
        "annual_award",
        "annual_loss",
    ]
    assert loaded["annuity_performance"].exclude_patterns == ("~$*", "*.eml", "*回复*")
    assert loaded["annual_loss"].sheet_labels == ("企年受托流失(解约)", "企年投资流失(解约)")
    assert not loaded["sandbox_trustee_performance"].all_domains


def test_shipped_mappings_hold_what_is_known() -> None:
    maps = load_mappings(SHIPPED)

    assert (len(maps["branches"]), len(maps["product_lines"])) == (46, 12)
    assert maps["branches"]["北京其他"] == "G37"
    assert maps["plan_corrections"] == {"1P0290": "P0290", "1P0807": "P0807"}
    assert maps["portfolio_defaults_by_plan_type"]["职业年金"] == "QTAN003"
    assert not [name for name in maps if name.startswith("company_id")]


def test_what_a_domain_leaves_out_has_its_usual_value(tmp_path: Path) -> None:
    one = sources(tmp_path)["one"]

    assert one.version_strategy is VersionStrategy.HIGHEST_NUMBER
    assert one.fallback is Fallback.ERROR
    assert one.file_selection is FileSelection.ERROR
    assert one.max_gap_rows == 1000


@pytest.mark.parametrize(
    ("own", "merged"),
    [
        ("", ("a", "b")),
        (', exclude_patterns: ["c"]', ("c",)),
        (', exclude_patterns: ["+c", "+d"]', ("a", "b", "c", "d")),
        (', exclude_patterns: ["+c", "d"]', ("d", "c")),
        (", exclude_patterns: []", ()),
    ],
)
def test_lists_inherit(tmp_path: Path, own: str, merged: tuple[str, ...]) -> None:
    one = sources(tmp_path, defaults='{exclude_patterns: ["a", "b"]}', domain=DOMAIN + own)["one"]

    assert one.exclude_patterns == merged


def test_scalars_of_the_domain_win(tmp_path: Path) -> None:
    one = sources(tmp_path, defaults="{file_selection: newest}", domain=f"{DOMAIN}, file_selection: first")["one"]

    assert one.file_selection is FileSelection.FIRST


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("{YYYYMM}/in", "{YYYYMMDD}/in", "domains.one.base_path"),
        ("{YYYYMM}/in", "{YYYYMM/in", "base_path"),
        ("{YYYYMM}/in", "../in", "base_path"),
        ("{YYYYMM}/in", "/in", "base_path"),
        ('["*.xlsx"]', "[]", "file_patterns"),
        ('["*.xlsx"]', '["../*.xlsx"]', "file_patterns"),
        ('["规模明细"]', "[]", "sheet_names"),
        ('["规模明细"]', "[true]", "sheet_names"),
        ("file_patterns", "file_pattern", "did you mean 'file_patterns'"),
        (DOMAIN, DOMAIN + ", version_strategy: newest", "version_strategy"),
        (DOMAIN, DOMAIN + ", version: two", "domains.one.version"),
        (DOMAIN, DOMAIN + ", max_gap_rows: 0", "max_gap_rows"),
        (DOMAIN, DOMAIN + ", all_domains: perhaps", "all_domains"),
    ],
)
def test_a_wrong_value_names_file_and_key(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        sources(tmp_path, domain=DOMAIN.replace(old, new))

    assert "data_sources.yml" in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no keys"),
        ("a: b: c", "not valid YAML"),
        ('schema_version: "9"\ndomains: {}', "schema_version"),
        ('schema_version: "1.2"\nextra: 1\ndomains: {}', "extra"),
        ('schema_version: "1.2"\ndomains: {}\ndomains: {}', "stands twice"),
        ('schema_version: "1.2"\ndefaults: {fallback: error, fallback: error}\ndomains: {}', "fallback"),
        ('schema_version: "1.2"\ndefaults: &a {}\ndomains: *a', "alias"),
        ('schema_version: !!python/name:os.system "1.2"', "not valid YAML"),
        ('schema_version: "1.2"', "domains"),
        ("1: 2", "keys made of digits in quotes"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "data_sources.yml").write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError, match=r"data_sources\.yml") as caught:
        load_sources(tmp_path)

    assert words in str(caught.value)


def test_a_missing_file_says_how_to_point_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="WDH_CONFIG_DIR"):
        load_sources(tmp_path)


def test_an_unknown_domain_names_the_known_ones() -> None:
    with pytest.raises(ConfigError) as caught:
        source_for(SHIPPED, "annuity_performence")

    assert "did you mean 'annuity_performance'?" in str(caught.value)
    assert "annual_loss" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version: 2\nentries: {a: b}", "version"),
        ("version: 1\nentries: {a: 1}", "entries.a"),
        ("version: 1\nentries: {1: a}", "entries"),
        ("version: 1\nentries: {a: b, a: c}", "stands twice"),
        ("version: 1\nentry: {a: b}", "did you mean 'entries'"),
        ("version: 1\nsample: yes please\nentries: {a: b}", "sample"),
    ],
)
def test_a_wrong_mapping_names_file_and_key(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=r"branches\.yml") as caught:
        mapping(tmp_path, text)

    assert words in str(caught.value)


def test_a_mapping_may_be_marked_as_sample_data(tmp_path: Path) -> None:
    assert mapping(tmp_path, "version: 1\nsample: true\nentries: {北京: G01}") == {"北京": "G01"}


def test_config_version_changes_with_content_and_name_only(tmp_path: Path) -> None:
    (tmp_path / "b.yml").write_text("b", encoding="utf-8")
    (tmp_path / "a.yml").write_text("a", encoding="utf-8")
    first = config_version(tmp_path)
    (tmp_path / "notes.txt").write_text("not configuration", encoding="utf-8")

    assert (len(first), config_version(tmp_path)) == (16, first)
    (tmp_path / "a.yml").write_text("ab", encoding="utf-8")
    assert config_version(tmp_path) != first


def test_batch_pipelines_are_no_part_of_what_a_load_depends_on(tmp_path: Path) -> None:
    first = config_version(tmp_path)
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "films.yml").write_text("name: films", encoding="utf-8")

    assert config_version(tmp_path) == first


def test_totals_and_changes_are_held_to_the_usual_shares_unless_a_domain_says_otherwise(tmp_path: Path) -> None:
    usual = sources(tmp_path)["one"]
    own = sources(tmp_path, defaults="{totals_tolerance: 5}", domain=DOMAIN + ", anomaly_share: '0.25'")["one"]

    assert (usual.totals_tolerance, usual.anomaly_share) == (Decimal("0.01"), Decimal("0.5"))
    assert (own.totals_tolerance, own.anomaly_share) == (Decimal(5), Decimal("0.25"))


@pytest.mark.parametrize("key", ["totals_tolerance", "anomaly_share"])
@pytest.mark.parametrize("value", ["-1", "true", "much", "[1]", "1e-5", ".nan", "''"])
def test_a_share_that_is_no_number_is_refused(tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(ConfigError) as refused:
        sources(tmp_path, domain=f"{DOMAIN}, {key}: {value}")

    assert refused.value.field == f"domains.one.{key}"
