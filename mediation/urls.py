"""Addresses of the mediation floor."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
