"""Number replacement: what is replaced, what stays, what is dropped; every figure derived again by the oracle."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dolmino_cli.errors import ConfigError
from dolmino_cli.stages.renumber import REASONS, Renumber
from tests.stages.renumber_oracle import faults, numbers
from tests.stages.renumber_problems import MARKET, batch, edited, outcome, problem

SEEDS = range(1, 9)


def variants(text: str) -> list[str]:
    """What several seeds make of `text`; each is right."""
    found = [outcome(text, seed) for seed in SEEDS]
    assert [fault for new in found for fault in faults(text, new)] == []
    return found


def test_question_annotations_prose_and_answer_move_together() -> None:
    done = edited([MARKET])
    assert done.dropped.tolist() == [-1] and done.id.to_pylist() == ["p0-renumbered-1"]
    new = done.text[0].as_py()
    plums, price, percent = map(int, re.search(r"picks (\d+) .*\$(\d+) each.* (\d+)%", new).groups())  # type: ignore[union-attr]
    assert (plums, price, percent) != (48, 3, 25)
    assert done.metadata == [
        {
            "renumbered": {
                "of": "p0",
                "seed": 1,
                "numbers": [
                    {"old": "48", "new": str(plums)},
                    {"old": "3", "new": str(price)},
                    {"old": "25", "new": str(percent)},
                ],
            }
        }
    ]
    assert new.endswith(f"#### {plums * price * (100 - percent) // 100}")
    assert faults(MARKET, new) == []


def test_the_same_seed_gives_the_same_text_and_others_give_others() -> None:
    assert outcome(MARKET, 5) == outcome(MARKET, 5)
    assert len(set(variants(MARKET))) == len(SEEDS)


def test_a_document_does_not_depend_on_its_batch() -> None:
    together = Renumber(seed=3).edit(batch([MARKET, "no problem", MARKET]))
    alone = Renumber(seed=3).edit(batch([MARKET]))
    assert together.text[0].as_py() == alone.text[0].as_py()
    assert together.text[2].as_py() != together.text[0].as_py(), "another id draws other numbers"
    assert together.dropped.tolist() == [-1, 0, -1]


def test_relations_and_knowledge_stay() -> None:
    text = problem(
        "Odile reads 14 pages a day for a week, and twice as many on Sunday. How many pages is that?",
        "In the week she reads 14*7=<<14*7=98>>98 pages.",
        "On Sunday she reads 14*2=<<14*2=28>>28 pages.",
        "Together that is 98+28=<<98+28=126>>126 pages.",
        "#### 126",
    )
    for new in variants(text):
        assert "*7=<<" in new and "*2=<<" in new


def test_two_things_that_a_number_could_mean_stay_equal() -> None:
    # One 36 of the third step is Odile's, the other Piet's; they must be as many again.
    text = problem(
        "Odile has 36 red beads. Piet has 5 bags of 13 blue ones and loses 29. 95 are white. How many more is that?",
        "Piet had 5*13=<<5*13=65>>65 beads.",
        "Then he has 65-29=<<65-29=36>>36.",
        "Together they have 36+36=<<36+36=72>>72.",
        "So there are 95-72=<<95-72=23>>23 more.",
        "#### 23",
    )
    for new in variants(text):
        red, bags, each, lost = numbers(new)[:4]
        assert red == bags * each - lost


def test_a_number_that_may_be_a_constant_stays() -> None:
    text = problem(
        "Odile buys 7 jars at $15 each week. How much is that in a week and in 20 weeks?",
        "A week costs 7*15=$<<7*15=105>>105.",
        "20 weeks cost 105*20=$<<105*20=2100>>2100.",
        "#### 2100",
    )
    for new in variants(text):
        assert "buys 7 jars" in new, "a week has 7 days too"


def test_what_the_answer_writes_out_as_often_stays() -> None:
    text = problem(
        "Odile throws 3 times: 14, 18 and 22 metres. What is her mean?",
        "She throws 14+18+22=<<14+18+22=54>>54 metres.",
        "Her mean is 54/3=<<54/3=18>>18 metres.",
        "#### 18",
    )
    for new in variants(text):
        assert "throws 3 times" in new


def test_numbers_keep_their_kind() -> None:
    text = problem(
        "Odile buys eight pens at $1.50 each and an 80 page book for $12.25. What does it cost?",
        "The pens cost 8*1.5=$<<8*1.5=12.00>>12.00.",
        "All costs $12.00+$12.25=$<<12+12.25=24.25>>24.25.",
        "#### 24.25",
    )
    for new in variants(text):
        found = re.search(r"buys ([a-z-]+) pens at \$(\d+\.\d\d) each and an 80 page book for \$(\d+\.\d\d)\.", new)
        assert found is not None and found[1] not in ("one", "zero"), new
        assert not found[2].endswith(".00") and not found[3].endswith(".00")


def test_an_article_follows_its_number() -> None:
    text = problem(
        "Odile cuts an 80 cm ribbon in 5 parts. How long is one?",
        "One part is 80/5=<<80/5=16>>16 cm.",
        "#### 16",
    )
    for new in variants(text):
        number = int(re.search(r"cuts an? (\d+)", new)[1])  # type: ignore[index]
        assert ("cuts an " in new) == (str(number)[0] == "8" or number in (11, 18)), new


def test_numbers_that_the_question_says_twice_agree() -> None:
    text = problem(
        "Of 5 pupils 3 take 14 nuts each, the other 2 take 20 each, and 300 were there. How many were left?",
        "They take 3*14+2*20=<<3*14+2*20=82>>82 nuts, the 5 of them.",
        "300-82=<<300-82=218>>218 were left, or 218/5=<<218/5=43.6>>43.6 a pupil.",
        "#### 43.6",
    )
    for new in variants(text):
        pupils, some, _, rest = numbers(new)[:4]
        assert pupils == some + rest


def test_a_factor_of_one_was_something_else() -> None:
    text = problem(
        "Odile has 4 dogs that eat 250 grams each a day. How many kilograms are 14 days?",
        "They eat 4*250=<<4*250=1000>>1000 grams a day.",
        "So it is 14*1=<<14*1=14>>14 kilograms.",
        "#### 14",
    )
    assert outcome(text) == "number_unbound"


def test_a_constant_that_only_prose_has_may_be_a_result() -> None:
    text = problem(
        "Odile reads 40 pages on each of the first 4 days of a week and 90 on Friday. How many is that?",
        "On 4 days she reads 4*40=<<4*40=160>>160 pages.",
        "In those five days she reads 160+90=<<160+90=250>>250 pages.",
        "#### 250",
    )
    assert outcome(text) == "number_unbound"


def test_equations_in_prose_are_recomputed() -> None:
    text = problem(
        "Odile has 30 shells and finds 12 more. She loses 9. How many are left?",
        "First she has 30 + 12 = 42 shells.",
        "Then she has 42 - 9 = <<42-9=33>>33.",
        "#### 33",
    )
    assert all(new.count("=") == 3 for new in variants(text))


def test_a_bank_note_a_year_and_a_clock_time_are_names() -> None:
    text = problem(
        "In 1999 Odile paid with a $50 bill at 3:30 pm for 14 maps at $3 each. What did she get back?",
        "The maps cost 14*3=$<<14*3=42>>42.",
        "She got 50-42=$<<50-42=8>>8.",
        "#### 8",
    )
    for new in variants(text):
        assert "In 1999" in new and "a $50 bill at 3:30 pm" in new


def test_socratic_answers_are_read_too() -> None:
    text = problem(
        "Odile has 30 shells and finds 14 more. How many has she?",
        "How many shells has Odile? ** She has 30+14=<<30+14=44>>44 shells.",
        "#### 44",
    )
    assert all(" ** She has " in new for new in variants(text))


DROPS = {
    "no_final_answer": problem("Has Odile 3 plums?", "She has <<3=3>>3."),
    "no_annotation": problem("How many are 13 and 14?", "They are 27.", "#### 27"),
    "unknowns": problem("Thrice a number is 33. Which?", "Let y be it: 3y = 33, so it is 33/3=<<33/3=11>>11.", "#### 11"),
    "relation_unfounded": problem("Of 40 plums 20 go. How many?", "Half go, so 40-20=<<40-20=20>>20.", "#### 20"),
    "annotation_unreadable": problem("How many are 13 and 14?", "<<sum(13,14)=27>>27", "#### 27"),
    "annotation_wrong": problem("10 plums for 13 boys?", "Each gets 10/13=<<10/13=0.77>>0.77.", "#### 0.77"),
    "equation_unreadable": problem("13 and 14 plums?", "13 + 14 = 28, or <<13+14=27>>27.", "#### 27"),
    "number_unbound": problem("Odile has 13 hens and 14 ducks. Birds?", "She has 13+14+9=<<13+14+9=36>>36.", "#### 36"),
    "answer_not_last_result": problem("How many are 13 and 14?", "13+14=<<13+14=27>>27", "#### 28"),
    "nothing_to_replace": problem("How many days have 2 weeks, both whole?", "They have 2*7=<<2*7=14>>14 days.", "#### 14"),
    # A week's 7 stays and a result of 1 stays, so the 8 cannot change.
    "no_consistent_numbers": problem("8 plums, one eaten on each day of a week?", "There is 8-7=<<8-7=1>>1 left.", "#### 1"),
}


@pytest.mark.parametrize("reason", DROPS)
def test_what_cannot_be_trusted_is_dropped_by_name(reason: str) -> None:
    assert outcome(DROPS[reason]) == reason


def test_every_reason_is_listed() -> None:
    assert set(DROPS) == set(REASONS)


def test_steps_are_checked() -> None:
    with pytest.raises(ConfigError, match="steps is 0; give at least 1"):
        Renumber(seed=1, steps=0)


NAMES = st.sampled_from(["beads", "plums", "maps", "shells"])


@st.composite
def made_problems(draw: st.DrawFn) -> str:
    """A chain of additions, subtractions and multiplications by given numbers, told in GSM8K's form."""
    what = draw(NAMES)
    total = draw(st.integers(20, 400))
    told, answer = [f"Odile has {total} {what}."], []
    for _ in range(draw(st.integers(1, 5))):
        sign = draw(st.sampled_from("+-*"))
        number = draw(st.integers(2, 9) if sign == "*" else st.integers(2, max(2, total - 1)))
        if sign == "-" and number >= total:
            continue
        result = {"+": total + number, "-": total - number, "*": total * number}[sign]
        told.append(
            {"+": f"She gets {number} more.", "-": f"She loses {number}.", "*": f"Then she has {number} times as many."}[sign]
        )
        answer.append(f"Now she has {total} {sign} {number} = <<{total}{sign}{number}={result}>>{result} {what}.")
        total = result
    return problem(
        " ".join((*told, f"How many {what} has she?")), *(answer or [f"She has <<{total}={total}>>{total}."]), f"#### {total}"
    )


@settings(max_examples=150, deadline=None)
@given(text=made_problems(), seed=st.integers(0, 9))
def test_whatever_is_made_of_a_chain_is_right(text: str, seed: int) -> None:
    new = outcome(text, seed)
    assert new in REASONS or faults(text, new) == []


@settings(max_examples=150, deadline=None)
@given(text=st.text(alphabet="0123456789. $%/<>=#\n+-*xOdile", max_size=120))
def test_nonsense_is_dropped_or_stays_right(text: str) -> None:
    new = outcome(text)
    assert new in REASONS or faults(text, new) == []
