"""All settings: composed from the registry, read with their lines, checked, explained."""

from pipeline.config.load import load_config, place_of
from pipeline.config.model import (
    Settings,
    changed_settings,
    method_settings,
    method_tables,
    report_settings,
    view_name,
    view_settings,
)

__all__ = [
    "Settings",
    "changed_settings",
    "load_config",
    "method_settings",
    "method_tables",
    "place_of",
    "report_settings",
    "view_name",
    "view_settings",
]
