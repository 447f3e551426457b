"""Prints what is installed for this interpreter: every file of its package folders with its digest, byte code left out."""

import hashlib
import os
import site
import sys
import sysconfig

folders = set(sysconfig.get_paths()[name] for name in ("purelib", "platlib", "scripts"))
folders.update(getattr(site, "getsitepackages", list)())
folders.add(site.getusersitepackages())
for top in sorted(folders):
    for folder, below, files in os.walk(top):
        below[:] = sorted(name for name in below if name != "__pycache__")
        for name in sorted(files):
            path = os.path.join(folder, name)
            if name.endswith(".pyc") or name == "uv_cache.json" or not os.path.isfile(path):
                continue  # uv writes the time into its file
            with open(path, "rb") as stream:
                content = stream.read()
            if name == "RECORD":
                content = b"".join(line for line in content.splitlines(True) if b"uv_cache.json" not in line)
            sys.stdout.write("%s %s\n" % (hashlib.sha1(content).hexdigest(), path))
