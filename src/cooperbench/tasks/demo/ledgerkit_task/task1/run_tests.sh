#!/bin/sh
python3 -m pytest -q -p no:cacheprovider tests
