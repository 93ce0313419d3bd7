"""Personal data: what is found on made-up examples, how well, and that nothing else is touched."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labeler.cleaning import Cleaning
from labeler.errors import UsageError
from labeler.personal import find, masked_demonstration, masked_group
from labeler.records import Completion, Demonstration, Group, Message, Ranking

# Text → the values in it that are somebody's. The choice between libraries was made on these.
EXAMPLES: dict[str, list[str]] = {
    "Write to anna.lindqvist@example.org about the lease.": ["anna.lindqvist@example.org"],
    "My mail is j_doe+news@mail.example.co.uk, use it.": ["j_doe+news@mail.example.co.uk"],
    "Contact: <KONTAKT@EXAMPLE.DE>": ["KONTAKT@EXAMPLE.DE"],
    "Two of us: a@example.com and b@example.com.": ["a@example.com", "b@example.com"],
    "Call me at (212) 555-0142 after six.": ["(212) 555-0142"],
    "Call me at 415-555-2671 tomorrow": ["415-555-2671"],
    "My number is +1 650-253-0000.": ["+1 650-253-0000"],
    "Ring +44 20 7946 0958 or text": ["+44 20 7946 0958"],
    "Meine Nummer ist +49 30 901820, abends.": ["+49 30 901820"],
    "tel. +33 1 42 68 53 00": ["+33 1 42 68 53 00"],
    "WhatsApp: +91 98765 43210": ["+91 98765 43210"],
    "Phone 650.253.0000 ext 12": ["650.253.0000 ext 12"],
    "My SSN is 536-22-8145, is it safe to send?": ["536-22-8145"],
    "SSN: 219-09-9998": ["219-09-9998"],
    "Card 4111 1111 1111 1111, expires soon.": ["4111 1111 1111 1111"],
    "I paid with 5555555555554444 yesterday": ["5555555555554444"],
    "amex 378282246310005 declined": ["378282246310005"],
    "IBAN DE89 3704 0044 0532 0130 00 please": ["DE89 3704 0044 0532 0130 00"],
    "Send it to GB29NWBK60161331926819.": ["GB29NWBK60161331926819"],
    "He logged in from 203.0.113.77 at noon": ["203.0.113.77"],
    "server log: 2001:db8:85a3::8a2e:370:7334 - GET /": ["2001:db8:85a3::8a2e:370:7334"],
    "The year 2024 had 366 days and 8784 hours.": [],
    "Add 1234567 and 7654321.": [],
    "What is 3.1415926535 times 2.7182818284?": [],
    "Upgrade to version 10.4.2 of the driver.": [],
    "ISBN 978-3-16-148410-0 is a book.": [],
    "The train leaves on 2025-06-15 at 15:06:40.": [],
    "From 12/05/1998 until 03/07/2001": [],
    "Order number 100-2003-4005 was shipped.": [],
    "It costs $1,299.99 or 1 299,99 EUR.": [],
    "Use @property in Python and user@ in the prompt.": [],
    "In 1914-1918 many died; 1939-1945 more.": [],
    "Latitude 52.5200, longitude 13.4050": [],
    "def f(x): return x[0:10:2]  # 10:20:30": [],
    "The Fibonacci numbers 1 1 2 3 5 8 13 21 34 55 89": [],
    "sha 9f86d081884c7d659a2feaa0c55ad015": [],
    "Room 212, floor 5, building 0142": [],
    "Score was 6-4 6-3 7-6 in the final.": [],
    "123456789012345 is a large number": [],
    "4111 1111 1111 1112 has a wrong check digit.": [],
    "The ratio 16:9 and the time 10:30": [],
    "Telephone numbers in films begin with 555.": [],
    "π is 3.14159265358979323846": [],
    "Phone model 3310 sold 126 million.": [],
    "Add 650 253 1000 beads to the jar": [],
}
# Written when the code was done, to see whether it holds on others.
HELD_OUT: dict[str, list[str]] = {
    "reply-to: m.okafor@students.example.edu.ng": ["m.okafor@students.example.edu.ng"],
    "mailto:sales@example.shop?subject=hi": ["sales@example.shop"],
    "Почта: ivan@пример.рф": ["ivan@пример.рф"],
    "call +81 3-1234-5678 (Tokyo office)": ["+81 3-1234-5678"],
    "my cell: 617.495.1000": ["617.495.1000"],
    "Tel: +55 11 91234-5678, falar com Ana": ["+55 11 91234-5678"],
    "dial 001 650 253 0000 from there": ["650 253 0000"],
    "visa: 4242-4242-4242-4242": ["4242-4242-4242-4242"],
    "FR14 2004 1010 0505 0001 3M02 606 is mine": ["FR14 2004 1010 0505 0001 3M02 606"],
    "ping 198.51.100.7 fails": ["198.51.100.7"],
    "fe80::1ff:fe23:4567:890a is the router": ["fe80::1ff:fe23:4567:890a"],
    "tax id 078-05-1120": ["078-05-1120"],
    "reach me: jane at example dot com": ["jane at example dot com"],  # not found: written out
    "I live at 12 Elm Street, Springfield": ["12 Elm Street, Springfield"],  # not found: a postal address
    "I am Ngozi Adeyemi and I was born 3 May 1981": ["Ngozi Adeyemi"],  # not found: a name
    "The bill of 2020-2021 was 1,234,567.89 dollars": [],
    "chapter 10.1.2.3 of the manual": [],
    "127.0.0.1 is this machine": [],
    "std::vector<int> and a::b::c in C++": [],
    "The 10 digits 0123456789": [],
    "population 1 402 112 000 in 2020": [],
    "x = 1e-10; y = 3600 * 24 * 365": [],
    "call the function f(1, 2, 3, 4, 5, 6, 7)": [],
    "UUID 123e4567-e89b-12d3-a456-426614174000": [],
}


def counted(examples: dict[str, list[str]]) -> tuple[int, int, int]:
    """Right ones, false ones and missed ones; a part of a value, or less than four fifths of it, is none."""
    right = false = missed = 0
    for text, wanted in examples.items():
        left = list(wanted)
        for found in (text[one.start : one.end] for one in find(text)):
            match = next(
                (value for value in left if value in found or (found in value and len(found) > 0.8 * len(value))), None
            )
            if match is None:
                false += 1
            else:
                right += 1
                left.remove(match)
        missed += len(left)
    return right, false, missed


def test_precision_and_recall_on_the_examples():
    right, false, missed = counted(EXAMPLES)
    assert (right, false, missed) == (22, 1, 0)  # precision 0.96, recall 1.00; the false one might be a number indeed


def test_precision_and_recall_on_others():
    # Precision 0.92, recall 0.73; missed are the three sorts that it says it does not find and a number dialled abroad,
    # and a chapter of four numbers is taken for an address.
    assert counted(HELD_OUT) == (11, 1, 4)


def test_a_mask_names_the_same_value_alike_and_keeps_nothing():
    prompt = (Message("user", "I am a@example.com, call (212) 555-0142."), Message("assistant", "Mail A@EXAMPLE.COM?"))
    answers = (Completion("a", "Wrote to b@example.com and a@example.com."), Completion("b", "No."))
    group = Group("g", (*prompt, Message("user", "Yes.")), answers, (Ranking("ann", (1, 2), note="see c@example.com"),))
    masked, counts = masked_group(group, "US")
    assert [turn.content for turn in masked.prompt] == ["I am [EMAIL_1], call [PHONE_1].", "Mail [EMAIL_1]?", "Yes."]
    assert [one.text for one in masked.completions] == ["Wrote to [EMAIL_2] and [EMAIL_1].", "No."]
    assert masked.rankings[0].note == "see [EMAIL_3]"
    assert counts == {"EMAIL": 5, "PHONE": 1}
    assert "example.com" not in str(masked)
    assert masked_group(masked, "US") == (masked, {})


def test_nothing_personal_is_nothing_changed():
    group = Group("g", (Message("user", "Name a prime above 10.\n\n\tNow."),), (Completion("a", "11"),))
    assert masked_group(group, "US")[0] is group
    written = Demonstration("d", group.prompt, "Eleven; write to x@example.com.")
    assert masked_demonstration(written, "US")[0] == replace(written, completion="Eleven; write to [EMAIL_1].")


def test_the_country_decides_about_numbers_without_a_code():
    assert [one.kind for one in find("Ring 030 901820 today", "DE")] == ["PHONE"]
    assert find("Ring 030 901820 today", "US") == ()
    with pytest.raises(UsageError, match="--phone-region 'XX' must be the two letters of a country"):
        Cleaning(phone_region="XX")
