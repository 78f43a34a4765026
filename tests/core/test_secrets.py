import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogwork.core.secrets import holds_secret


@pytest.mark.parametrize(
    "text",
    [
        "my password is tea4two!",
        "The PIN of my card: 4711",
        "The API key was changed to abc-def",
        "my card is 4111 1111 1111 1111",
        "social security number is 078-05-1120",
        "use sk-abcdefgh12345678",
        "postgresql://me:tea4two@host/db",
    ],
)
def test_what_opens_something_is_a_secret(text):
    assert holds_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        "The invoice 2024-117 was paid in March",
        "The book is ISBN 978-3-7757-5021-4",
        "Call 0151 7412 8830",
        "the door code is 4711",
        "The password policy asks for 14 characters",
        "Ada pinned the note",
    ],
)
def test_numbers_and_codes_of_daily_life_are_no_secrets(text):
    assert not holds_secret(text)


@given(st.text())
def test_any_text_can_be_judged(text):
    assert holds_secret(text) in (True, False)
