"""Addresses of the mediation floor."""

from django.urls import path

from mediation.views import disputes, file

urlpatterns = [
    path("mediation/", disputes.disputes, name="disputes"),
    path("mediation/new/", disputes.new, name="dispute_new"),
    path("mediation/places/", disputes.places, name="dispute_places"),
    path("mediation/<slug:number>/", file.dispute, name="dispute"),
    path("mediation/<slug:number>/parties/", file.parties, name="dispute_parties"),
    path("mediation/<slug:number>/reveal/", file.reveal, name="dispute_reveal"),
    path("mediation/<slug:number>/agreement/", file.agreement, name="dispute_agreement"),
    path("mediation/<slug:number>/do/<slug:action>/", file.act, name="dispute_act"),
]
