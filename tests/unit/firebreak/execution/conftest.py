from tests.unit.firebreak.store.databases import store_url

__all__ = ["store_url"]
