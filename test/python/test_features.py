"""docs/features.md and docs/testing.md: every test that their tables name exists."""
import re

import pytest


@pytest.mark.parametrize("page", ["docs/features.md", "docs/testing.md"])
def test_tables_name_tests_that_exist(root, page):
    named = [match for line in (root / page).read_text().splitlines() if line.startswith("| ")
             for match in re.findall(r"(test/[\w/.]+): (\w+)", line)]
    assert len(named) > 15
    for file, name in named:
        source = (root / file).read_text()
        wanted = r"^def %s\(" if file.endswith(".py") else r"cmocka_unit_test\w*\(%s\b"
        assert re.search(wanted % name, source, re.M), "%s has no test %s" % (file, name)


def test_all_rows_of_the_feature_table_name_a_test(root):
    table = (root / "docs" / "features.md").read_text()
    rows = [line for line in table.splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 20
    for row in rows:
        assert re.search(r"\| test/[\w/.]+: \w+ \|$", row), row
