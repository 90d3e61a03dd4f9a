"""Addresses somebody is sent on to stay in the house."""

import pytest

from core.web import own_address


@pytest.mark.parametrize("address", ["/", "/town/?page=2&q=%E8%B7%AF", "/路灯/", "/a//b", "/a#b"])
def test_an_address_of_this_house_is_kept(address):
    assert own_address(address) == address


@pytest.mark.parametrize(
    "address",
    [
        *("", "town/", "https://evil.example/", "//evil.example/", "///evil.example/"),
        # Browsers read a backslash as a slash, and leave tabs and line ends out.
        *("/\\evil.example/", "/\t/evil.example/", "/\n/evil.example/", "/\r\n/evil.example/"),
        *("javascript:alert(1)", "/\x00/evil.example/", " /town/"),
    ],
)
def test_any_other_address_is_dropped(address):
    assert own_address(address) == ""
