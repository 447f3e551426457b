#!/bin/sh
# Stands before npm, pnpm, yarn and uv, under their names, where the evaluator knows that installing again would change nothing.
# Everything else, and every other folder, is the real tool's.
here=$(cd "$(dirname "$0")" && pwd)
command=
for word; do
    case $word in
    -v | -V | --version | -h | --help) command=$word && break ;;
    -*) ;;
    *)
        [ "$command" = pip ] && command="pip $word" && break
        command=$word
        [ "$word" = pip ] || break
        ;;
    esac
done
case ${0##*/}:$command in
npm:install | npm:i | npm:ci | pnpm:install | pnpm:i | yarn:install | yarn: | uv:sync | uv:venv | "uv:pip install" | "uv:pip sync")
    case $PWD/ in
    /workspace/repo/*)
        echo "already installed in this image; nothing to do for: ${0##*/} $*"
        exit 0
        ;;
    esac
    ;;
esac
case " $* ${UV_LOCKED:+--locked }" in
*" --locked "* | *" --upgrade "* | *" -U "*) unset UV_FROZEN ;; # older versions of uv refuse both; the lock file is known to fit
esac
PATH=$(printf %s "$PATH" | sed "s|^$here:||; s|:$here\$||; s|:$here:|:|g")
exec "${0##*/}" "$@"
