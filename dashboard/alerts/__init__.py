"""Alerts: the page on which people see to them."""
