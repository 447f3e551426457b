#!/bin/sh
# Runs a test program for `go test -exec`. What our guard inside the package `testing` says comes back by a file that has no name,
# each line behind a secret that the guard reads, and wipes, before the program's own code knows of anything.
guard=${0%/go/*}
. "$guard/sign.sh"
claim
report="go-guard
$(changed_files)"
secret=$(printf %s "secret $key" | digest)
printf %s "$secret" >"$guard/in.$place"
: >"$guard/out.$place"
exec 3<>"$guard/in.$place" 4>>"$guard/out.$place" 5<"$guard/out.$place"
rm "$guard/in.$place" "$guard/out.$place"
code=0
COOPERBENCH_GUARD=1 "$@" 5<&- || code=$?
results=$(sed -n "s/^$secret //p" <&5)
case "$results" in
*"ended") ;;
*) results="$results
changed a test program that did not come to its end" ;;
esac
sign "$report
$results"
exit $code
