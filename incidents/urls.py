"""Addresses of the incidents floor."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
