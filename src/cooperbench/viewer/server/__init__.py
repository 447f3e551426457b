"""The server behind `cooperbench view`. Needs the extra `view`; everything else in the viewer does not."""
