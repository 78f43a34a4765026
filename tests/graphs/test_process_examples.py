"""The processes of the docs, run to every end."""

import csv
import json

import pytest
from processes import EXAMPLES, Instance, example_tools, invoices
from scripted import ScriptedChatModel

INVOICES = EXAMPLES / "invoices" / "invoice_approval.yaml"
ONBOARDING = EXAMPLES / "onboarding"
START = 1_777_000_000.0  # 2026-04-24


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def invoice(folder, number):
    return Instance(INVOICES, invoices(folder)).begin(invoice=number, by="sue")


def payments(folder):
    with (folder / "payments.csv").open(newline="") as file:
        return [(row["invoice"], float(row["amount"])) for row in csv.DictReader(file)][1:]


def editing(amount, by):
    action = {"name": "approve", "args": {"amount": amount}}
    return {"type": "edit", "by": by, "edited_action": action}


@pytest.mark.parametrize(
    ("number", "role", "by", "amount"),
    [
        ("2041", "clerk", "ana", 125),
        ("2042", "manager", "mia", 4_000),
        ("2043", "director", "leo", 18_000),
    ],
)
def test_an_invoice_is_paid_when_somebody_whose_limit_allows_it_approves(
    folder, number, role, by, amount
):
    instance = invoice(folder, number)
    assert instance.waits["approve"].role == role

    for lower in {"clerk": [], "manager": ["ana"], "director": ["ana", "mia"]}[role]:
        instance.approve("approve", lower)
        assert "cannot decide" in instance.waits["approve"].trouble
    instance.approve("approve", by)

    assert instance.status == "paid"
    assert payments(folder) == [(number, amount)]
    assert instance.state["results"]["approve"]["by"] == by


@pytest.mark.parametrize(
    ("number", "why"),
    [("2044", "not those of order"), ("2045", "not all of order"), ("2046", "add up to 125.0")],
)
def test_an_invoice_that_does_not_match_is_cleared_by_a_person(folder, number, why):
    instance = invoice(folder, number)
    assert why in instance.waits["clarify"].question

    assert instance.reject("clarify", "ben").status == "rejected"
    assert payments(folder) == []


def test_a_difference_that_is_accepted_goes_on_to_the_approval(folder):
    instance = invoice(folder, "2044").approve("clarify", "ben").approve("approve", "ana")
    assert instance.status == "paid"


def test_an_invoice_that_was_paid_before_is_a_duplicate(folder):
    assert invoice(folder, "2039").status == "duplicate"
    first = invoice(folder, "2041").approve("approve", "ana")
    assert first.status == "paid"
    assert invoice(folder, "2041").status == "duplicate"
    assert payments(folder) == [("2041", 125)]


def test_an_invoice_without_a_file_is_unreadable(folder):
    instance = invoice(folder, "9999")
    assert instance.status == "unreadable"
    assert "9999.json" in instance.state["results"]["invoice"]["error"]


def test_a_rejected_invoice_is_not_paid(folder):
    assert invoice(folder, "2041").reject("approve", "ana").status == "rejected"
    assert payments(folder) == []


def test_nobody_approves_an_invoice_of_his_own(folder):
    instance = Instance(INVOICES, invoices(folder)).begin(invoice="2041", by="ana")
    instance.approve("approve", "ana")
    assert "has had a part in this" in instance.waits["approve"].trouble
    assert instance.approve("approve", "ben").status == "paid"


def test_an_approval_that_nobody_gives_goes_to_the_director_and_then_lapses(folder):
    instance = invoice(folder, "2041").pass_days(2)
    assert instance.waits["approve"].role == "director"
    instance.approve("approve", "ana")
    assert "director" in instance.waits["approve"].trouble

    assert instance.pass_days(3).status == "lapsed"
    assert instance.events("approve") == ["asked", "escalated", "refused", "escalated", "completed"]


def test_a_difference_that_nobody_clears_goes_to_the_manager_and_then_lapses(folder):
    instance = invoice(folder, "2044").pass_days(3)
    assert instance.waits["clarify"].role == "manager"
    assert instance.pass_days(4).status == "lapsed"


def test_a_lower_amount_is_paid_at_once_and_a_higher_one_needs_a_director(folder):
    lower = invoice(folder, "2041").answer("approve", editing(120, "ana"))
    assert lower.status == "paid"
    higher = invoice(folder, "2042").answer("approve", editing(9_000, "mia"))
    higher.approve("confirm", "mia")
    assert "director" in higher.waits["confirm"].trouble
    assert higher.approve("confirm", "ida").status == "paid"
    assert payments(folder) == [("2041", 120), ("2042", 9_000)]


def test_a_director_can_refuse_a_higher_amount(folder):
    instance = invoice(folder, "2042").answer("approve", editing(9_000, "mia"))
    assert instance.reject("confirm", "leo").status == "rejected"


def test_what_cannot_be_edited_is_asked_about_again(folder):
    instance = invoice(folder, "2041")
    action = {"name": "approve", "args": {"supplier": "Eve Ltd"}}
    instance.answer("approve", {"type": "edit", "by": "ana", "edited_action": action})
    assert "'supplier' cannot be edited" in instance.waits["approve"].trouble
    instance.answer("approve", editing("much", "ana"))
    assert "of another type" in instance.waits["approve"].trouble


def test_a_payment_that_fails_is_decided_by_the_treasury(folder):
    instance = invoice(folder, "2041")
    (folder / "payments.csv").unlink()
    (folder / "payments.csv").mkdir()
    instance.approve("approve", "ana")
    assert instance.waits["pay"].role == "treasury"
    instance.answer("pay", action="retry", by="ana")
    assert "treasury" in instance.waits["pay"].trouble

    assert instance.answer("pay", action="fail", by="tom").status == "unpaid"


def onboarding(folder, job="engineer", **down):
    tools = example_tools("onboarding").onboarding_tools(folder)
    for name in down:
        (folder / f"{name}.down").touch()
    model = ScriptedChatModel(script=["Welcome, Zoe!"], forever=True)
    instance = Instance(ONBOARDING, tools, model=model, roles={"candidate": ["zoe"]}, now=START)
    return instance.begin(name="Zoe", job=job, start="2026-05-04")


def did(folder):
    file = folder / "systems.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return sorted(
        f"{each['did']} {each.get('system', '')}".strip() for each in map(json.loads, lines)
    )


ALL = ["create_account mail", "create_account repository", "order_laptop", "send_contract"]


def ready(instance):
    """Everything came in time; the first day is waited for."""
    instance.approve("offer", "eva")
    assert sorted(instance.waits) == ["delivered", "signature"]
    instance.answer("delivered", event="delivered", by="kim")
    return instance.answer("signature", event="signed", by="zoe")


def settle(instance):
    instance.pass_days(11)
    instance.answer("safety", event="safety_training", by="udo")
    return instance.pass_days(5)


def test_branches_go_on_while_another_one_waits(folder):
    onboarding(folder).approve("offer", "eva")
    assert did(folder) == ALL


def test_somebody_is_hired_and_settles(folder):
    instance = settle(ready(onboarding(folder)))
    assert instance.approve("stays", "eva").status == "started"
    assert did(folder) == ALL
    assert instance.state["results"]["induction"]["status"] == "settled"
    assert instance.events("induction/stays") == ["asked", "decided", "completed"]
    assert instance.state["results"]["equipped"] == {"on_loan": False}
    assert instance.state["results"]["welcome"] == "Welcome, Zoe!"


def test_somebody_who_leaves_in_the_first_week_has_started(folder):
    instance = settle(ready(onboarding(folder, job="driver"))).reject("stays", "eva")
    assert instance.status == "started"
    assert instance.state["results"]["induction"]["status"] == "left"
    assert did(folder) == [each for each in ALL if "repository" not in each]


def test_an_offer_can_be_withdrawn(folder):
    assert onboarding(folder).reject("offer", "eva").status == "withdrawn"
    assert did(folder) == []


def test_a_contract_that_nobody_signs_undoes_everything(folder):
    instance = onboarding(folder).approve("offer", "eva").pass_days(3)
    assert instance.waits["signature"].role == "hr"
    instance.answer("delivered", event="delivered", by="kim").pass_days(7)
    assert instance.status == "cancelled"
    assert did(folder) == sorted([*ALL, "close_accounts"])
    assert instance.events("signature") == ["asked", "escalated", "escalated", "completed"]


def test_hr_can_tell_that_the_contract_came_by_mail(folder):
    instance = onboarding(folder).approve("offer", "eva").pass_days(4)
    instance.answer("signature", event="signed", by="eva")
    assert instance.state["results"]["contract"] == {"signed": True}


def test_a_laptop_that_does_not_come_is_lent(folder):
    instance = onboarding(folder).approve("offer", "eva")
    instance.answer("signature", event="signed", by="zoe").pass_days(5)
    assert instance.state["results"]["equipped"] == {"on_loan": True}
    assert "take_from_stock" in did(folder)


def test_tools_that_are_down_are_replaced_skipped_or_decided_by_people(folder):
    instance = onboarding(folder, order_laptop=1, create_account=1).approve("offer", "eva")
    assert "take_from_stock" in did(folder)
    assert instance.waits["mail"].role == "it"
    instance.answer("mail", action="result", result={"system": "mail"}, by="kim")
    instance.answer("delivered", event="delivered", by="kim")
    instance.answer("signature", event="signed", by="zoe")
    assert instance.events("repository") == ["began", "skipped"]
    assert instance.events("mail")[-2:] == ["decided", "completed"]


def test_an_account_that_cannot_be_made_cancels_the_hiring(folder):
    instance = ready_but_mail(folder)
    assert instance.answer("mail", action="fail", by="kim").status == "cancelled"
    assert did(folder)[0] == "close_accounts"


def ready_but_mail(folder):
    instance = onboarding(folder, create_account=1).approve("offer", "eva")
    instance.answer("delivered", event="delivered", by="kim")
    return instance.answer("signature", event="signed", by="zoe")


def test_a_safety_training_that_does_not_come_is_the_business_of_the_head(folder):
    instance = ready(onboarding(folder)).pass_days(11).pass_days(1)
    assert instance.waits["safety"].role == "head_of_hr"
    instance.answer("safety", event="safety_training", by="ria").pass_days(5).pass_days(2)
    assert instance.approve("stays", "ria").status == "started"
