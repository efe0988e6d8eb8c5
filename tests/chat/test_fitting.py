from hypothesis import given
from hypothesis import strategies as st

from vertebra.chat import Supervised
from vertebra.chat.fitting import fit
from vertebra.chat.template import IGNORED

SAMPLE = Supervised([1, 9, 4, 5, 6, 9, 7], [IGNORED, IGNORED, IGNORED, 5, 6, IGNORED, 7])


def test_a_sample_that_fits_is_left_as_it_is_with_its_images_expanded():
    fitted = fit(SAMPLE, image=9, image_tokens=3, longest=11)
    assert fitted.ids == [1, 9, 9, 9, 4, 5, 6, 9, 9, 9, 7]
    assert (fitted.images, fitted.lost, fitted.teaches) == (2, 0, True)


def test_what_is_cut_off_is_counted():
    fitted = fit(SAMPLE, image=9, image_tokens=3, longest=6)
    assert fitted.ids == [1, 9, 9, 9, 4, 5]
    assert (fitted.images, fitted.lost, fitted.teaches) == (1, 2, True)


def test_a_sample_that_loses_every_answer_says_so():
    fitted = fit(SAMPLE, image=9, image_tokens=3, longest=5)
    assert (fitted.lost, fitted.teaches) == (3, False)


def test_an_image_is_kept_whole_or_not_at_all():
    assert fit(SAMPLE, image=9, image_tokens=3, longest=3).ids == [1]


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=30), st.integers(1, 5), st.integers(0, 60))
def test_nothing_is_lost_uncounted(tokens, image_tokens, longest):
    ids = [token for token, _ in tokens]
    labels = [token if told and token != 9 else IGNORED for token, told in tokens]
    fitted = fit(Supervised(ids, labels), 9, image_tokens, longest)
    kept = sum(label != IGNORED for label in fitted.labels)
    assert len(fitted.ids) == len(fitted.labels) <= longest
    assert kept + fitted.lost == sum(label != IGNORED for label in labels)
    assert fitted.ids.count(9) == image_tokens * fitted.images
