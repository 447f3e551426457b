# Read by every bash: runners put other folders first on PATH, which a function does not mind.
if [ -n "${COOPERBENCH_BASH_ENV-}" ] && [ -r "$COOPERBENCH_BASH_ENV" ]; then . "$COOPERBENCH_BASH_ENV"; fi
for cooperbench_tool in "${BASH_ENV%/*}"/*; do
    case ${cooperbench_tool##*/} in npm | pnpm | yarn | uv) eval "${cooperbench_tool##*/}() { '$cooperbench_tool' \"\$@\"; }" ;; esac
done
unset cooperbench_tool
