"""Ways in which an agent breaks its own sandbox."""

from pathlib import Path
from typing import NamedTuple

from cooperbench.environments import worktree
from cooperbench.errors import SandboxError
from cooperbench.records.member_files import Capture
from cooperbench.testing.conformance import Subject

CWD = "/workspace/repo"
WORK = "echo work >work.txt"
SHADOW = "for d in /usr/local/bin /usr/bin /bin ~/.local/bin; do mkdir -p $d; printf '%s' '{text}' >$d/{name}; chmod +x $d/{name}; done"
FAKE = "#!/does/not/exist\n"
NO_SLEEP = SHADOW.format(name="sleep", text="#!/bin/sh\nexit 0\n")


class Dodge(NamedTuple):
    """A way to break a sandbox."""

    commands: str
    kept: bool = True
    """Whether the work is still there to be captured."""
    for_root: bool = False
    """Whether only root may read the work afterwards, which local sandboxes do not have."""
    heavy: bool = False
    """Takes many seconds or a lot of the host."""


DODGES = {
    # The repository
    "repository removed": Dodge(f"rm -rf {CWD}", kept=False),
    "repository emptied": Dodge("rm -rf .git .gitignore * .[a-z]*", kept=False),
    "repository is a file": Dodge(f"rm -rf {CWD}; echo x >{CWD}", kept=False),
    "repository leads elsewhere": Dodge(f"rm -rf {CWD}; ln -s /nowhere {CWD}", kept=False),
    "repository moved away": Dodge(f"mv {CWD} /tmp/other; ln -s /tmp/other {CWD}"),
    "repository without rights": Dodge(f"chmod -R 000 . ; chmod 000 {CWD}", for_root=True),
    "repository of somebody else": Dodge("chown -R 12345:54321 . ; chmod -R u+s,g+s,o-rwx ."),
    "mounted over": Dodge(
        f"for p in mount 'unshare -rm mount'; do $p -t tmpfs none {CWD}; $p --bind /etc {CWD}; $p -o remount,ro /; done"
    ),
    "immutable": Dodge("chattr -R +i . ; chattr +i /tmp /bin/sh; true"),
    # What git keeps
    "git directory removed": Dodge("rm -rf .git"),
    "git directory renamed": Dodge("mv .git .tig"),
    "git directory is nonsense": Dodge("rm -rf .git; echo 'gitdir: /proc/self/fd/0' >.git"),
    "git directory full of pipes": Dodge(
        "for f in config HEAD index info/exclude packed-refs objects/info/alternates info/attributes;"
        " do mkdir -p .git/${f%/*} 2>/dev/null; rm -f .git/$f; mkfifo .git/$f; done; true",
        heavy=True,
    ),
    "git directory without an end": Dodge(
        "for f in config HEAD index info/exclude objects/info/alternates; do ln -sf /dev/zero .git/$f; done"
    ),
    "hostile configuration": Dodge(
        "git config core.fsmonitor 'kill -9 -1'; git config core.hooksPath /tmp; git config core.worktree /etc;"
        " git config extensions.partialClone o; git config remote.o.url /tmp; git config remote.o.uploadpack 'sleep 900'"
    ),
    "index locked and broken": Dodge("echo x >.git/index; touch .git/index.lock; chmod 000 .git/index.lock"),
    "pipes that git reads": Dodge(
        "mkdir -p d; for f in .gitignore .gitattributes .gitmodules d/.gitignore d/.gitattributes; do rm -rf $f; mkfifo $f; done"
    ),
    "repositories in repositories": Dodge(
        "p=.; i=0; while [ $i -lt 8 ]; do p=$p/n; mkdir $p; git init -q $p; i=$((i+1)); done;"
        " cp -r .git n/copied; git clone -q . clone; git worktree add -q tree; mkdir e; mkfifo e/.git"
    ),
    # Processes
    "everything killed": Dodge("kill -9 -1"),
    "everything killed again and again": Dodge("(trap '' TERM; while :; do kill -9 -1; done) & sleep 0.3"),
    "first process killed": Dodge("kill -9 1; kill -TERM 1; kill -INT 1"),
    "first process written to": Dodge("kill -9 -1; (timeout 1 sh -c 'echo x >/proc/1/fd/0'); true"),
    "sleep replaced, everything killed": Dodge(f"rm -f $(command -v sleep); {NO_SLEEP}; kill -9 -1"),
    "many processes": Dodge("i=0; while [ $i -lt 300 ]; do sleep 600 & i=$((i+1)); done"),
    "fork bomb": Dodge("bomb() { [ $1 -gt 10 ] && exec sleep 600; bomb $(($1+1)) & bomb $(($1+1)) & wait; }; bomb 0 & sleep 2", heavy=True),
    # Programs
    "git removed": Dodge("rm -f $(command -v git)"),
    "git does nothing": Dodge(SHADOW.format(name="git", text="#!/bin/sh\nexit 0\n")),
    "shell removed": Dodge("rm -f /bin/sh /usr/bin/sh /bin/bash /usr/bin/bash /bin/dash /usr/bin/dash"),
    "shell replaced": Dodge(SHADOW.format(name="sh", text=FAKE) + ";" + SHADOW.format(name="bash", text=FAKE)),
    "shell says yes": Dodge("printf '#!/bin/true\\n' >/tmp/yes; chmod +x /tmp/yes; cp /tmp/yes /bin/sh"),
    "programs in front": Dodge("; ".join(SHADOW.format(name=name, text=FAKE) for name in ("find", "mktemp", "python3"))),
    "all programs removed": Dodge("rm -rf /usr/bin /bin /usr/lib /lib"),
    "all programs removed, everything killed": Dodge("rm -rf /usr/bin /bin /usr/lib /lib /lib64; kill -9 -1"),
    "libraries broken": Dodge("echo /nowhere.so >/etc/ld.so.preload; rm -f /lib/*/libz.so* /usr/lib/*/libz.so*"),
    "a library before all others": Dodge("cp $(ls /lib/*/libm.so.6 /usr/lib/*/libm.so.6 | head -n 1) /x.so; echo /x.so >/etc/ld.so.preload; kill -9 -1"),
    "users removed": Dodge("for f in passwd group shadow nsswitch.conf hosts resolv.conf; do echo x >/etc/$f; done"),
    # Files
    "root without rights": Dodge("chmod 000 /tmp /workspace /usr /bin /etc /var / 2>/dev/null; true", for_root=True),
    "temporary folder replaced": Dodge("rm -rf /tmp/* /tmp/.c*; chmod 700 /tmp; echo x >/tmp/.cooperbench"),
    "endless file": Dodge("truncate -s 900G sparse; mkfifo pipe; ln -s / loop; mkdir -p d; ln -s .. d/up"),
    "endless file with a strange name": Dodge("truncate -s 900G \"$(printf 'a\\nb')\"; truncate -s 900G \"$(printf 'c\\n.git')\""),
    "strange names": Dodge("touch \"$(printf 'a\\nb')\" \"$(printf '\\377')\" '\"' '-rf' ':(glob)x' '*' ' '; mkdir '...' '~'"),
    "names that git refuses": Dodge("mkdir 'git~1'; echo x >'git~1/x'; ln -s /etc/passwd .gitmodules"),
    "sockets and devices": Dodge(
        "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"sock\")'; mknod zero c 1 5; mknod disk b 8 0; mkfifo p; true"
    ),
    "links to outside": Dodge("ln /etc/passwd hard; ln -s a b; ln -s b a; ln -s /proc/self/root/proc host; ln -s /dev/zero endless"),
    "deep folders": Dodge("i=0; while [ $i -lt 150 ]; do mkdir folder_of_a_name_that_is_long && cd folder_*; i=$((i+1)); done; echo x >x"),
    "100,000 files": Dodge("mkdir many; cd many; seq 100000 | split -l 1 -a 5", heavy=True),
    # What stands around the work
    "workspace moved away": Dodge("mv /workspace /elsewhere && ln -s /elsewhere /workspace; true"),
    "programs moved away": Dodge("mv /usr /rsu; mv /bin /nib; mv /lib /bil; mv /etc /cte"),
    "everything unmounted": Dodge("for p in umount 'unshare -rm umount'; do $p -al; $p -l /proc /dev /tmp /workspace; done; true"),
    "mounted inside": Dodge("mkdir m; mount -t tmpfs none m; mount --bind /proc m; mount --bind .git/objects m; true"),
    "temporary folders gone": Dodge("rm -rf /tmp /var/tmp /dev/shm /run; ln -s /nowhere /tmp; touch /run; true"),
    "home and shell changed": Dodge(
        "rm -rf ~; ln -s /dev/zero ~; sed -i 's,:/[^:]*$,:/bin/false,' /etc/passwd;"
        " for f in /etc/profile /etc/bash.bashrc /etc/environment /etc/gitconfig; do echo 'exit 7' >$f; done; true"
    ),
    "limits for every process": Dodge(
        "for p in /proc/[0-9]*; do prlimit --pid ${p#/proc/} --nofile=2 --fsize=0 --nproc=1 --cpu=1; done; true"
    ),
    "everything stopped": Dodge("kill -STOP 1; kill -STOP -1", heavy=True),
    "a flood of signals": Dodge("for s in HUP USR1 USR2 PIPE ALRM TTIN TTOU WINCH QUIT; do kill -$s -1; kill -$s 1; done"),
    # What git believes
    "git directory leads elsewhere": Dodge("mv .git /tmp/kept; ln -s /tmp/kept .git; rm -rf /tmp/kept/objects; ln -s / /tmp/kept/objects"),
    "objects broken": Dodge("find .git/objects -type f -exec sh -c 'chmod u+w \"$1\"; echo x >\"$1\"' - {} \\;"),
    "history replaced": Dodge(
        "git rev-parse HEAD >.git/shallow; git replace -f HEAD $(git commit-tree -m x HEAD^{tree}); echo /nowhere >.git/objects/info/alternates;"
        " git update-ref --no-deref HEAD $(git commit-tree -m y $(git mktree </dev/null))"
    ),
    "git blind for changes": Dodge(
        "git add -A; git ls-files -z | xargs -0 git update-index --skip-worktree; git sparse-checkout set nothing; touch -d 1901-01-01 *;"
        " git config core.trustctime false; git config core.checkStat minimal; git config core.ignoreStat true; echo work >work.txt"
    ),
    "everything ignored": Dodge("echo '*' >.git/info/exclude; git config core.excludesFile /tmp/all; echo '*' >/tmp/all; mkdir -p ~/.config/git; echo '*' >~/.config/git/ignore"),
    "filters and drivers": Dodge(
        "git config filter.x.clean 'kill -9 -1'; git config filter.x.smudge 'sleep 900'; git config filter.x.required true;"
        " git config diff.x.textconv 'sleep 900'; git config diff.external 'kill -9 -1'; git config merge.x.driver false; git config alias.add '!sleep 900';"
        " git config include.path /dev/zero; git config core.pager 'sleep 900'; git config diff.noprefix true; echo '* filter=x diff=x merge=x' >.gitattributes; true"
    ),
    "every lock taken": Dodge("for f in config HEAD packed-refs index shallow refs/heads/main FETCH_HEAD; do mkdir -p .git/$f.lock/x; done; rm -f .git/index; mkdir .git/index"),
    "names of every length": Dodge(
        "n=$(printf 'x%.0s' $(seq 255)); echo x >$n; mkdir -p d/$n; printf x >\"d/$n/$(printf '\\360\\237\\246\\204')\"; mkdir '.GIT' 'g\u200cit' 2>/dev/null; true"
    ),
    "links without an end": Dodge("i=0; while [ $i -lt 300 ]; do ln -s l$((i+1)) l$i; i=$((i+1)); done; ln -s . here; ln -s $(printf 'y%.0s' $(seq 4000)) long; ln work.txt twice"),
}  # fmt: skip


class Judged(NamedTuple):
    """What becomes of the work."""

    word: str
    """`work kept`, `empty`, `work lost`, or `infra_error`, which is nobody's result."""
    detail: str

    @property
    def own(self) -> bool:
        """True if it is the agent's own result."""
        return self.word != "infra_error"


def judge(subject: Subject, dodge: Dodge, store: Path) -> Judged:
    """Do some work, break the sandbox, and see what an episode would get of it."""
    with subject.open() as environment:
        base = worktree.pin_base(environment, store)
        try:
            environment.execute(f"{WORK}\n{dodge.commands}", timeout=60 if dodge.heavy else 20)
            environment.execute("true", timeout=20)
            taken = worktree.capture(environment, store, base)
        except SandboxError as error:
            return Judged(
                "infra_error" if error.boundary != "agent" else "work lost", f"{type(error).__name__}: {error}"
            )
    return _describe(taken, dodge)


def _describe(taken: Capture, dodge: Dodge) -> Judged:
    said = ", ".join(f"{finding.kind} {finding.detail}" for finding in taken.findings)
    if b"diff --git a/work.txt b/work.txt" in taken.patch:
        return Judged("work kept", said)
    return Judged("work lost" if dodge.kept or taken.patch else "empty", said)
