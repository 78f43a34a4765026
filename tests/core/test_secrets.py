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
        "I use tea4two as my password",
        "hunter2 is my password.",
        "1984  is my PIN",
        "My PIN's 1984",
        "My PIN\u2019s 1984",
        "Use tulip-river-62 as the wifi password",
        "I log in as ada with the password Summer2024",
        "My Netflix login is nora@x.com / Summer2024!",
        "Netflix login: nora/Summer2024!",
        "The combination of my safe is 12-34-56",
        "My bike lock combination: 4471",
        "The alarm code at home is 4471",
        "the door code is 4711",
        "the code for our front door is now A471",
        "4711 is the code of the garage",
        "hunter2 is the password for my mail",
        "As a password I use tea4two",
        "Use tea4two for the password",
        "1984 is my card's PIN",
        "home, alarm code 4471",
        "The safe's combination is 12-34-56",
        "The safe opens with 12-34-56",
        "4471 opens the front door",
        "My Netflix account is nora@x.com / Summer2024!",
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
        "Our zip code is 80331",
        "Error code 404 means that the page is lost",
        "The door is 204 cm high",
        "The door code is new",
        "The login page is at https://example.com/login",
        "I use Bitwarden as my password manager",
        "My mail is nora@x.com",
        "The LED hangs on pin 13",
        "The password policy asks for 14 characters",
        "Ada pinned the note",
    ],
)
def test_numbers_and_codes_of_daily_life_are_no_secrets(text):
    assert not holds_secret(text)


def test_a_long_text_is_judged_in_its_length():
    assert not holds_secret("1" * 20_000 + "is my a " * 5_000 + "pin " * 5_000)


@given(st.text())
def test_any_text_can_be_judged(text):
    assert holds_secret(text) in (True, False)
