"""Addresses of the grids floor."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
