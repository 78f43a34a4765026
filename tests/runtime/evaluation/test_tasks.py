"""The tasks of the package: their answers are computed here anew, another way than they were."""

import csv
import heapq
import itertools
import json
import re
from pathlib import Path
from statistics import median

import pytest

from cogwork.core.errors import ConfigurationError
from cogwork.runtime.evaluation.checks import Contains
from cogwork.runtime.evaluation.tasks import KINDS, EvalTask, builtin_tasks, check_ids

TASKS = {task.id: task for task in builtin_tasks()}
FILES = {file.name: file for task in TASKS.values() for file in task.files}


def rows(name):
    with FILES[name].open(newline="") as file:
        return list(csv.DictReader(file))


def column(name, key, **where):
    return [
        float(row[key]) for row in rows(name) if all(row[k] == each for k, each in where.items())
    ]


def stock():
    return json.loads(FILES["stock.json"].read_text())


def scarce():
    return [each["item"] for each in stock() if each["quantity"] < each["minimum"]]


def found(name, pattern):
    text = " ".join(FILES[name].read_text().split())
    return re.search(pattern, text)[1]


def number(text):
    return float(text.replace(",", ""))


def per(name, by, key):
    return {each: sum(column(name, key, **{by: each})) for each in {row[by] for row in rows(name)}}


def cell(file, key, **where):
    (row,) = [r for r in rows(file) if all(r[k] == each for k, each in where.items())]
    return row[key]


def hanoi(discs):
    return 0 if not discs else 2 * hanoi(discs - 1) + 1


def fewest(start, is_goal, moves):
    """The cheapest way from a state to a goal, by trying all."""
    seen, waiting = set(), [(0, start)]
    while waiting:
        spent, state = heapq.heappop(waiting)
        if is_goal(state):
            return spent
        if state not in seen:
            seen.add(state)
            for price, after in moves(state):
                heapq.heappush(waiting, (spent + price, after))
    raise AssertionError("there is no way")


def bridge(state):
    waiting, lamp_here = state
    bank = waiting if lamp_here else tuple({1, 2, 5} - set(waiting))
    for size in (1, 2):
        for crossing in itertools.combinations(bank, size):
            left = set(waiting) - set(crossing) if lamp_here else set(waiting) | set(crossing)
            yield max(crossing), (tuple(sorted(left)), not lamp_here)


def jugs(state):
    three, five = state
    yield from ((1, (3, five)), (1, (three, 5)), (1, (0, five)), (1, (three, 0)))
    down, up = min(three, 5 - five), min(five, 3 - three)
    yield from ((1, (three - down, five + down)), (1, (three + up, five - up)))


def roads(place):
    for row in rows("roads.csv"):
        ends = [row["from"], row["to"]]
        if place in ends:
            yield int(row["km"]), ends[1 - ends.index(place)]


def finished(job):
    row = next(row for row in rows("jobs.csv") if row["job"] == job)
    before = [each for each in row["needs"].split(";") if each]
    return int(row["days"]) + max(map(finished, before), default=0)


def best_load(limit):
    items = [(int(row["weight"]), int(row["value"])) for row in rows("cargo.csv")]
    loads = (c for n in range(len(items) + 1) for c in itertools.combinations(items, n))
    return max(sum(v for _, v in load) for load in loads if sum(w for w, _ in load) <= limit)


def first_free_hour():
    busy = json.loads((FILES["calendar.json"]).read_text())["busy"].values()
    taken = {hour for each in busy for start, end in each for hour in range(start, end)}
    return min(set(range(9, 17)) - taken)


def masonry_to_flooring():
    later = ["wiring", "plastering", "flooring", "painting"]
    pairs = "masonry<wiring masonry<plastering wiring<plastering plastering<painting"
    pairs = [p.split("<") for p in f"{pairs} plastering<flooring painting<flooring".split()]
    (order,) = [
        order
        for order in itertools.permutations(["masonry", *later])
        if all(order.index(a) < order.index(b) for a, b in pairs)
    ]
    return ", ".join(order)


def decided():
    text = FILES["minutes.md"].read_text()
    (part,) = [part for part in text.split("## ") if "decided to move" in part]
    return part.splitlines()[0]


kwh = "kwh"
ANSWERS = {
    "sum-column": lambda: sum(column("sales.csv", "units")),
    "expression": lambda: 21.75 * 12 - 28.8,
    "mean-column": lambda: sum(column("staff.csv", "hours")) / len(rows("staff.csv")),
    "count-rows": lambda: len(column("sales.csv", "units", region="North")),
    "highest": lambda: max(column("energy.csv", kwh)),
    "sum-where": lambda: sum(column("energy.csv", "cost", site="Harbour")),
    "best-group": lambda: max((n, region) for region, n in per("sales.csv", "region", "units").items())[1],
    "spread": lambda: max(column("sales.csv", "price")) - min(column("sales.csv", "price")),
    "median": lambda: median(column("staff.csv", "hours")),
    "below-minimum": lambda: len(scarce()),
    "revenue": lambda: sum(float(r["units"]) * float(r["price"]) for r in rows("sales.csv")),
    "growth": lambda: round(100 * (column("energy.csv", kwh, site="Mill")[-1] / column("energy.csv", kwh, site="Mill")[0] - 1), 1),
    "one-sentence": lambda: found("handbook.md", r"archive is kept by ([\w ]+)\."),
    "year": lambda: found("museum.md", r"lighthouse was built in (\d+)"),
    "place": lambda: found("handbook.md", r"Visitors park behind ([\w ]+)\."),
    "cell": lambda: cell("staff.csv", "office", name="Ines Amaral"),
    "json-field": lambda: next(each["supplier"] for each in stock() if each["item"] == "copper wire"),
    "exception": lambda: found("museum.md", r"Children under 6 enter (\w+) of charge"),
    "decision": decided,
    "proportion": lambda: 20 / 40 * number(found("handbook.md", r"has (\d+) days of leave")),
    "two-hops": lambda: found("museum.md", found("museum.md", r"1868 by ([\w ]+)") + r" was portrayed.*? painted by (\w+ \w+)"),
    "two-files": lambda: cell("staff.csv", "office", name=found("handbook.md", r"archive is kept by ([\w ]+)\.")),
    "which-file": lambda: number(found("museum.md", r"Pupils and students pay (\d+)")),
    "sum-then-divide": lambda: sum(column("staff.csv", "hours")) / 8,
    "lookup-then-compute": lambda: number(found("minutes.md", r"([\d,]+) euros a month")) * 12 * number(found("minutes.md", r"runs for (\d+) years")),
    "count-files": lambda: sum(file.suffix == ".csv" for file in TASKS["count-files"].files),
    "order": masonry_to_flooring,
    "hanoi": lambda: hanoi(4),
    "bridge": lambda: fewest(((1, 2, 5), True), lambda s: not s[0], bridge),
    "jugs": lambda: fewest((0, 0), lambda s: 4 in s, jugs),
    "meeting": lambda: first_free_hour(),
    "route": lambda: fewest("Arden", lambda place: place == "Fenwick", roads),
    "critical-path": lambda: finished("handover"),
    "packing": lambda: best_load(12),
    "total-asked": lambda: sum(column("energy.csv", kwh)),
    "total-ordered": lambda: sum(column("energy.csv", kwh)),
    "total-plain": lambda: sum(column("energy.csv", kwh)),
    "basel-rows": lambda: [row["office"] for row in rows("staff.csv")].count("Basel"),
    "basel-people": lambda: len({row["name"] for row in rows("staff.csv") if row["office"] == "Basel"}),
    **dict.fromkeys(("crates-in-digits", "crates-in-words"), lambda: 7 * 12),
}  # fmt: skip
WRITTEN = {
    "sum-to-file": lambda: ("total.txt", str(sum(column("sales.csv", "units")))),
    "mean-to-file": lambda: ("average.txt", str(sum(column("energy.csv", kwh)) / 12)),
    "copy-and-count": lambda: ("backup.md", FILES["handbook.md"].read_text()),
    "filter-to-file": lambda: ("order.txt", "\n".join(scarce())),
    "json-report": lambda: (
        "report.json",
        json.dumps({"total": sum(column("sales.csv", "units")), "highest": max(column("sales.csv", "units"))}),
    ),
    "group-to-file": lambda: (
        "hours.csv",
        "office,hours\n" + "".join(f"{o},{n:g}\n" for o, n in sorted(per("staff.csv", "office", "hours").items())),
    ),
}  # fmt: skip
SHOPS = {"rows-as-they-are", "rows-turned-round", "columns-turned-round"}


@pytest.mark.parametrize("name", ANSWERS)
def test_the_expected_answer_is_what_the_files_say(name, tmp_path):
    told = TASKS[name].check.judge(f"It is {ANSWERS[name]()}.", tmp_path)
    assert told.passed, told.reason


@pytest.mark.parametrize("name", WRITTEN)
def test_the_expected_file_is_what_the_files_say(name, tmp_path):
    path, text = WRITTEN[name]()
    answer = f"Done: {len(rows('staff.csv'))}"
    assert not TASKS[name].check.judge(answer, tmp_path).passed
    (tmp_path / path).write_text(text)
    told = TASKS[name].check.judge(answer, tmp_path)
    assert told.passed, told.reason


@pytest.mark.parametrize("name", sorted(SHOPS))
def test_the_dearest_item_is_the_same_in_whatever_order(name, tmp_path):
    table = list(csv.DictReader(TASKS[name].texts["shop.csv"].splitlines()))
    dearest = max(table, key=lambda row: float(row["price"]))["item"]
    assert TASKS[name].check.judge(dearest, tmp_path).passed
    for row in table:
        assert TASKS[name].check.judge(row["item"], tmp_path).passed == (row["item"] == dearest)


def test_every_task_is_computed_anew():
    assert len(TASKS) == len(builtin_tasks()) == 50
    assert ANSWERS.keys() | WRITTEN.keys() | SHOPS == TASKS.keys()
    assert {task.kind for task in TASKS.values()} == set(KINDS)


def refusals(question):
    said = [question, *re.split(r"(?<=[.?:]) ", question)]
    yield from said
    for each in said:
        yield f"I can't answer “{each}”: nothing seen so far says it, and I know no tool for it."
    yield ""


@pytest.mark.parametrize("task", TASKS.values(), ids=str)
def test_an_answer_that_repeats_the_question_fails(task, tmp_path):
    for said in refusals(task.question):
        assert not task.check.judge(said, tmp_path).passed, said


@pytest.mark.parametrize("task", TASKS.values(), ids=str)
def test_reciting_the_files_is_no_answer(task, tmp_path):
    task.put_into(tmp_path)
    texts = [path.read_text() for path in sorted(tmp_path.iterdir())]
    says_it = isinstance(task.check, Contains) and not task.check.none
    if texts and not says_it and task.id not in {"exception", "decision"}:
        assert not task.check.judge("\n".join(texts), tmp_path).passed


def test_groups_ask_for_one_answer():
    groups = {}
    for task in TASKS.values():
        if task.group:
            groups.setdefault(task.group, set()).add(task.check.model_dump_json())
    assert len(groups) == 4
    assert all(len(checks) == 1 for checks in groups.values())


def test_files_and_texts_are_put_into_a_folder(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    task = EvalTask(
        id="t",
        question="?",
        check=Contains(all=("x",)),
        files=[tmp_path / "a.txt"],
        texts={"deep/b.txt": "b"},
    )
    folder = tmp_path / "folder"
    folder.mkdir()
    task.put_into(folder)
    assert (folder / "a.txt").read_text() + (folder / "deep/b.txt").read_text() == "ab"


@pytest.mark.parametrize("path", ["/etc/x", "../x", "a/../../x", ""])
def test_a_text_stays_in_the_folder(path):
    with pytest.raises(ValueError, match="leaves the folder"):
        EvalTask(id="t", question="?", check=Contains(all=("x",)), texts={path: "b"})


def test_two_files_of_one_name_are_refused(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    given = {"files": [tmp_path / "a.txt"], "texts": {"./a.txt": "b"}}
    with pytest.raises(ValueError, match=r"would have a.txt twice; rename one"):
        EvalTask(id="t", question="?", check=Contains(all=("x",)), **given)


def test_a_task_without_its_file_is_refused():
    with pytest.raises(ValueError, match="there is no file absent"):
        EvalTask(id="t", question="?", check=Contains(all=("x",)), files=[Path("absent")])


def test_an_id_that_stands_twice_is_refused():
    with pytest.raises(ConfigurationError, match="twice: order; rename one"):
        check_ids([TASKS["order"], TASKS["order"]])
