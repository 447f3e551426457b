"""The backend `modal`: sandboxes in Modal's cloud, by the unmodified SDK (extra `modal`)."""
