"""The cache asks Redis through one client, and still keeps and forgets like any other."""

from django.core.cache import cache


def test_what_is_kept_comes_back_until_it_is_deleted():
    cache.set("told", {"n": 1}, 60)
    assert cache.get("told") == {"n": 1}
    cache.delete("told")
    assert cache.get("told") is None


def test_every_question_goes_through_the_same_client():
    asked = cache._cache
    assert asked.get_client("a") is asked.get_client("b", write=True)
