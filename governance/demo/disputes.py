def build_disputes(**k):
    return None
