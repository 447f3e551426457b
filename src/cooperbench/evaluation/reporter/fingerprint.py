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
            if name.endswith(".pyc") or not os.path.isfile(path):
                continue
            with open(path, "rb") as stream:
                sys.stdout.write("%s %s\n" % (hashlib.sha1(stream.read()).hexdigest(), path))
