"""`wdh domain show` and `wdh domain list`: what they do."""

from work_data_hub.cli.arguments import declared_domain
from work_data_hub.cli.doors import open_door
from work_data_hub.cli.text_table import page_width, table_lines
from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.describe import Section, Surroundings, describe, overview
from work_data_hub.io.accepted_headings import accepted_headings, load_headings
from work_data_hub.io.config_files import load_mappings, load_sources
from work_data_hub.io.foreign_keys import load_references


def list_domains() -> None:
    """Print one line a domain."""
    sources = load_sources(open_door().config_dir)
    print("\n".join(table_lines(overview(DOMAINS, sources), width=page_width(), indent=0)))


def show_domain(name: str) -> None:
    """Print the domain in words; raises UsageError for one that is not declared."""
    domain, config_dir = declared_domain(name), open_door().config_dir
    given = Surroundings(
        source=load_sources(config_dir).get(name),
        mappings={mapping: len(entries) for mapping, entries in load_mappings(config_dir).items()},
        accepted=accepted_headings(config_dir, domain),
        ignored=load_headings(config_dir).ignored.get(name, ()),
        references=load_references(config_dir, DOMAINS).get(name, ()),
    )
    print(f"{domain.name} · {domain.title}")
    for section in describe(domain, given):
        print_section(section)


def print_section(section: Section) -> None:
    """Print a section under its title, after an empty line."""
    lines = table_lines(section.rows, width=page_width())
    print("\n".join(["", section.title, *lines]))
