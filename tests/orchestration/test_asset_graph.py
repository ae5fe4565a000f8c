"""The asset graph as the page draws it, kept as a text that people read; a change of it is a change of the text."""

import difflib
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster._core.definitions.assets.graph.asset_graph import AssetNode  # only for its type

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.orchestration.definitions import defs
from work_data_hub.orchestration.file_assets import BRONZE, GOLD, MONTHS, RAW, SILVER, asset_key

pytestmark = pytest.mark.unit

KEPT = Path(__file__).with_name("asset_graph.txt")
GRAPH = defs.resolve_asset_graph()
REWRITE = "python -m tests.orchestration.test_asset_graph"


def graph_text() -> str:
    """Every group with its assets in the order of the graph: what they are, what they come from, what judges them."""
    return "\n".join(_lines()).lstrip() + "\n"


def _lines() -> Iterator[str]:
    order = [key for level in GRAPH.toposorted_asset_keys_by_level for key in sorted(level)]
    for group in sorted({GRAPH.get(key).group_name for key in order}):
        yield f"\n== {group}"
        for key in order:
            if GRAPH.get(key).group_name == group:
                yield from _asset(GRAPH.get(key))


def _asset(node: AssetNode) -> Iterator[str]:
    by = "by month" if node.partitions_def == MONTHS else "whole"
    made = "made by Materialize" if node.is_materializable else "told of"
    yield f"{node.key.to_user_string()} · {', '.join(sorted(node.kinds)) or 'of no kind'} · {by} · {made}"
    yield from (f"    from   {parent.to_user_string()}" for parent in sorted(node.parent_keys))
    yield from (f"    check  {check.name}" for check in sorted(node.check_keys, key=lambda check: check.name))


def test_the_graph_is_the_one_that_is_kept() -> None:
    kept, drawn = KEPT.read_text(encoding="utf-8"), graph_text()

    diff = "\n".join(
        difflib.unified_diff(kept.splitlines(), drawn.splitlines(), "asset_graph.txt", "definitions", lineterm="")
    )
    assert not diff, f"the asset graph is another one; if that is meant: {REWRITE}\n{diff}"


def test_every_domain_reads_from_its_workbook_to_its_table() -> None:
    for domain in DOMAINS:
        layers = [asset_key(layer, domain) for layer in (RAW, BRONZE, SILVER, GOLD)]
        assert [GRAPH.get(key).parent_keys for key in layers] == [set(), *({before} for before in layers[:-1])]
        assert {GRAPH.get(key).group_name for key in layers} == {domain}


def test_every_asset_says_what_it_is() -> None:
    silent = [node.key for node in GRAPH.asset_nodes if not (node.description and node.kinds)]

    assert silent == []


if __name__ == "__main__":
    KEPT.write_text(graph_text(), encoding="utf-8")
