"""What texts name is found by rules, whatever the texts are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogwork.nodes.entities import find_entities
from cogwork.nodes.quantities import parse_number


def found(text, kind):
    return [each for each in find_entities(text) if each.kind == kind]


def names(text):
    return [each.text for each in found(text, "name")]


MONEY = [
    ("$18,000", 18_000, "USD"),
    ("US$5", 5, "USD"),
    ("1.200,50 €", 1_200.5, "EUR"),
    ("€ 3.5 million", 3_500_000, "EUR"),
    ("EUR 1'234.50", 1_234.5, "EUR"),
    ("5 000 EUR", 5_000, "EUR"),
    ("1\u00a0480 euros", 1_480, "EUR"),
    ("3.4m dollars", 3_400_000, "USD"),
    ("5k USD", 5_000, "USD"),
    ("£2bn", 2_000_000_000, "GBP"),
    ("40 pounds sterling", 40, "GBP"),
    ("CHF 20", 20, "CHF"),
    ("2 million Swiss francs", 2_000_000, "CHF"),
    ("¥1000", 1_000, "JPY"),
    ("₹5 lakh", 500_000, "INR"),
    ("50 cents", 0.5, "USD"),
]


@pytest.mark.parametrize(("text", "value", "unit"), MONEY)
def test_money_has_its_amount_and_currency(text, value, unit):
    (money,) = found(f"It costs {text} in all", "money")
    assert (money.text, money.value, money.unit) == (text, value, unit)


@pytest.mark.parametrize(
    ("text", "value"),
    [("5.2%", 5.2), ("12 percent", 12), ("7 per cent", 7), ("25 bps", 0.25), ("3‰", 0.3)],
)
def test_shares_are_percentages(text, value):
    (share,) = found(f"at {text} a year", "percent")
    assert (share.text, share.value, share.unit) == (text, value, "%")


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("5 m", 5, "m"),
        ("5km", 5, "km"),
        ("5 KG", 5, "kg"),
        ("3 mW", 3, "mW"),
        ("3 MW", 3, "MW"),
        ("2.5 m/s²", 2.5, "m/s²"),
        ("120 km/h", 120, "km/h"),
        ("-3 °C", -3, "°C"),
        ("21 degrees Celsius", 21, "°C"),
        ("3.5MB", 3.5, "MB"),
        ("80 Mbit/s", 80, "Mbit/s"),
        ("60 months", 60, "mo"),
        ("14-day", 14, "d"),
        ("15 mg/kg", 15, "mg/kg"),
        ("40 square metres", 40, "m²"),
        ("5e14 Hz", 5e14, "Hz"),
        ("10 pounds", 10, "lb"),
        ("5 A", 5, "A"),
        ("7 μm", 7, "µm"),
    ],
)
def test_quantities_have_their_unit(text, value, unit):
    (quantity,) = found(f"about {text} or so", "quantity")
    assert (quantity.text, quantity.value, quantity.unit) == (text, value, unit)


def test_a_letter_that_is_a_word_is_no_unit():
    (number,) = find_entities("we get 900 a second")
    assert (number.kind, number.text, number.value) == ("number", "900", 900)


@pytest.mark.parametrize(
    ("text", "kind", "low", "high", "unit"),
    [
        ("10-15 km", "quantity", 10, 15, "km"),
        ("10 to 15 metres", "quantity", 10, 15, "m"),
        ("between 5 and 10 kg", "quantity", 5, 10, "kg"),
        ("€10–20", "money", 10, 20, "EUR"),  # noqa: RUF001 - as people type it
        ("2-3%", "percent", 2, 3, "%"),
        ("1 to 2 million dollars", "money", 1e6, 2e6, "USD"),
        ("2019–2021", "date", "2019", "2021", None),  # noqa: RUF001 - as people type it
    ],
)
def test_ranges_have_two_ends(text, kind, low, high, unit):
    (entity,) = find_entities(f"from {text}")
    assert (entity.kind, entity.value, entity.high, entity.unit) == (kind, low, high, unit)


@pytest.mark.parametrize(
    "text", ["555-0142", "10.0.4.17", "2024-318", "0x3F8A", "QX7R2M", "v1.2.3"]
)
def test_codes_are_no_numbers(text):
    (code,) = find_entities(f"see {text} there")
    assert (code.kind, code.text, code.value) == ("code", text, None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024-05-12", "2024-05-12"),
        ("2024-05", "2024-05"),
        ("12.05.2024", "2024-05-12"),
        ("25/12/2024", "2024-12-25"),
        ("12/25/24", "2024-12-25"),
        ("03/04/2024", None),
        ("3 May", "--05-03"),
        ("3 may 2025", "2025-05-03"),
        ("May 12th, 2024", "2024-05-12"),
        ("12th of May 2025", "2025-05-12"),
        ("Sept. 5, 2023", "2023-09-05"),
        ("March 2023", "2023-03"),
        ("31 February 2024", None),
        ("29 February", "--02-29"),
        ("Q3 2024", None),
        ("1990s", "1990"),
        ("next week", None),
        ("Thursday", None),
    ],
)
def test_dates_are_written_as_iso_says_where_they_are_certain(text, value):
    (day,) = find_entities(f"It began on {text}, they say")
    assert (day.kind, day.text, day.value) == ("date", text, value)


def test_a_year_is_known_by_the_word_before_it():
    assert [each.kind for each in find_entities("since 2010 we sold 2010 units")] == [
        "date",
        "number",
    ]


def test_a_moment_is_a_date_and_a_time():
    day, time = find_entities("at 2024-05-12T14:30")
    assert (day.value, time.value) == ("2024-05-12", "14:30")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("14:30", "14:30"),
        ("8 am", "08:00"),
        ("8:15 p.m.", "20:15"),
        ("12 am", "00:00"),
        ("9:75", None),
    ],
)
def test_times_are_of_24_hours(text, value):
    (time,) = found(f"meet at {text}", "time")
    assert time.value == value


@pytest.mark.parametrize(
    ("text", "kind", "is_found"),
    [
        ("see https://example.com/a?b=1.", "url", "https://example.com/a?b=1"),
        ("(www.example.org)", "url", "www.example.org"),
        ("ask example.co.uk/x now", "url", "example.co.uk/x"),
        ("mail a.b+c@mail.example.org.", "email", "a.b+c@mail.example.org"),
        ("plot run7.csv now", "file", "run7.csv"),
        ("read docs/x/y.md", "file", "docs/x/y.md"),
    ],
)
def test_addresses_and_files_end_where_they_end(text, kind, is_found):
    assert [(each.kind, each.text) for each in find_entities(text)] == [(kind, is_found)]


@pytest.mark.parametrize(
    "text", ['"so it is"', "“so it is”", "„so it is“", "«so it is»", "'so it is'"]
)
def test_quotations_are_found_without_their_marks(text):
    (quoted,) = found(f"He said {text} and left", "quoted")
    assert (quoted.text, quoted.value) == (text, "so it is")


def test_apostrophes_are_no_quotation_marks():
    assert found("it's what the dog's owner didn't see, isn't it", "quoted") == []


def test_a_quotation_holds_other_entities():
    kinds = {each.kind for each in find_entities('the sign "under 50 euros"')}
    assert kinds == {"quoted", "money"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Angela Merkel met him", ["Angela Merkel"]),
        ("Will Apple buy Nestlé's plant?", ["Apple", "Nestlé"]),
        ("Compare Postgres with MySQL.", ["Postgres", "MySQL"]),
        ("Lisbon or Porto for a weekend?", ["Lisbon", "Porto"]),
        ("Bread goes stale", []),
        ("Why? Because it does. Bread goes stale", []),
        ("NASA says so", ["NASA"]),
        ("Ask Dr. Vasquez of it", ["Dr. Vasquez"]),
        ("at the University of Oslo", ["University of Oslo"]),
        ("I think Ludwig van Beethoven did", ["Ludwig van Beethoven"]),
        ("Nestlé's shares fell", ["Nestlé"]),
        ("Ärzte in Österreich und Łódź", ["Österreich", "Łódź"]),
        ("Texel is far. When does the ferry to Texel leave?", ["Texel", "Texel"]),
        ("WHAT IS THE VAT IN POLAND", []),
        ("on Monday in May I'm here", ["May"]),
        ("", []),
    ],
)
def test_names_are_told_from_sentence_starts(text, expected):
    assert names(text) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234.5", 1234.5),
        ("1.234,5", 1234.5),
        ("1'234.5", 1234.5),
        ("1,234", 1234),
        ("1.234", 1.234),
        ("12,5", 12.5),
        ("0,500", 0.5),
        ("1.234.567", 1234567),
        ("10.0.4.17", None),
        ("1,234.5.6", None),
        (".5", 0.5),
        ("1e-9", 1e-9),
        ("१२", 12),  # digits of Devanagari
    ],
)
def test_numbers_are_read_as_people_write_them(text, value):
    assert parse_number(text) == value


@given(st.text(alphabet=st.sampled_from("aZéß١1²9.,:;-–/ €$%@\"'«»`\n()MayTQ²m°k"), max_size=200))  # noqa: RUF001 - as people type it
def test_every_entity_stands_in_the_text_where_it_says(text):
    last = 0
    for each in find_entities(text):
        assert each.text
        assert text[each.start : each.end] == each.text
        assert each.start >= last
        last = each.start


@pytest.mark.parametrize("piece", ["a", "1.", "1 111 ", "a@", "a/", "a.", "«", "Aa ", "-"])
def test_a_hostile_text_of_100_kb_is_read_to_its_end(piece):
    text = (piece * 100_000)[:100_000] + " and 5 km"
    assert [each.unit for each in find_entities(text) if each.start > 100_000] == ["km"]


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_a_limit_gives_the_first_ones(limit):
    text = (
        "Ada Byron paid €12 for 3 kg on 3 May 2024, 'as agreed' at a@b.org. In Oslo she paid 5%. "
    )
    whole = find_entities(text * 5)
    assert find_entities(text * 5, limit) == whole[:limit]
    assert len(find_entities("$1" * 50_000, limit)) == limit
