"""Plugins: what areaDetector clients expect behind the camera. No EPICS library here."""
