"""Libraries that change what httpd's processes see, through LD_PRELOAD."""

import os
import shutil
import subprocess

import pytest

# A sanitizer has to be there first.
needed = pytest.mark.skipif("WXPAY_PRELOAD" in os.environ, reason="the place of LD_PRELOAD is taken")


def preload(httpd, folder, source, **env):
    """Compiles `source` in `folder`; `httpd`, not started yet, loads it and has `env` besides."""
    (folder / "preload.c").write_text(source)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", "preload.so", "preload.c"], cwd=folder,
                   check=True)
    library = httpd.root / "preload.so"
    shutil.copy(folder / "preload.so", library)
    httpd.env = {"LD_PRELOAD": str(library), **env}
