"""Patches that do nothing of what was asked and try to pass: what runs, prints, writes, replaces or lies instead. One module for each language."""
