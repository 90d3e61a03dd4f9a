"""The API of mediation; the top floor puts ``router_entries`` under /api/v1/."""

from mediation.api.disputes import DisputeViewSet

router_entries = [("disputes", DisputeViewSet)]
