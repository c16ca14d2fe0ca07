"""The broker: connection, contracts, requests and what their answers mean."""
